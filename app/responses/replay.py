"""The response that a job's output adds up to, made anew from the output.

It is the same each time, with the same ids and numbers of events, on any worker.
"""

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from app.auth.users import User
from app.conversation.client_tools import ClientTools
from app.conversation.cut import Cut
from app.conversation.events import Event
from app.conversation.model_answer import parser_for
from app.conversation.reader import read_events
from app.errors import GatewayError, JobContinuesAfterShutdown, JobNotFound
from app.jobs.job_json import seconds_between
from app.jobs.service import JobService
from app.json_body import validate
from app.records.job import Job
from app.responses.answer import EPOCH, ended_at
from app.responses.errors import ResponseNotFound, error_object
from app.responses.request_body import ResponseRequest
from app.responses.response_builder import ResponseBuilder
from app.responses.response_object import new_response
from app.responses.store import PREFIX, ResponseStore, StoredResponse
from app.responses.tools import RequestTools
from app.runs.queue_file import place_of


@dataclass(frozen=True)
class Replay:
    """Makes responses anew."""

    jobs: JobService
    store: ResponseStore

    def job_of(self, record: StoredResponse, user: User) -> Job:
        """The job of a response. Raises ResponseNotFound if it is not kept any more."""
        try:
            return self.jobs.find(record.job_id, user)
        except JobNotFound:
            raise ResponseNotFound(record.id) from None

    def is_kept(self, record: StoredResponse, user: User) -> bool:
        """Whether the response is whole, or its job is kept."""
        if record.response is not None:
            return True
        try:
            self.job_of(record, user)
        except ResponseNotFound:
            return False
        return True

    def builder_of(self, record: StoredResponse, job: Job) -> ResponseBuilder:
        """A builder of the response, without any event."""
        request = validate(ResponseRequest, record.request)
        response = new_object(job, request, job.id, is_stored=True)
        is_verbatim = record.own_tools == []
        return ResponseBuilder(response, job.id, request.request_tools(), is_verbatim=is_verbatim)

    def events_of(
        self, record: StoredResponse, job: Job, environ: Mapping[str, Any]
    ) -> Generator[list[Event]]:
        """The events of the answer, from its beginning. Raises what `read_events` raises."""
        request = validate(ResponseRequest, record.request)
        tools = tools_for(request.request_tools(), record.own_tools)
        cut = cut_for(request, tools)
        any_object = request.wants_any_object()
        parser = parser_for(tools, cut, is_structured=record.is_structured, any_object=any_object)
        return read_events(
            self.jobs,
            job,
            parser,
            cut,
            environ,
            cancel_on_disconnect=False,
            end_run_at_cut=tools is None,
        )

    def current(self, record: StoredResponse, user: User) -> StoredResponse:
        """The response as it is now; it is complete once its job has ended.

        Raises ResponseNotFound if it is not complete, and its job is not kept any more.
        """
        if record.response is not None:
            return record
        job = self.job_of(record, user)
        builder = self.builder_of(record, job)
        if self.jobs.record(job)["ended_at"] is None:
            status = "in_progress" if place_of(job) is None else "queued"
            return record._replace(response={**builder.response, "status": status})
        try:
            for events in self.events_of(record, job, {}):
                for event in events:
                    for _ in builder.add(event, ended_at(job)):
                        pass
        except JobContinuesAfterShutdown:
            raise
        except GatewayError as error:
            found = error_object(error)
            for _ in builder.fail(str(found["code"]), str(found["message"])):
                pass
        return self.completed(record, builder.response)

    def completed(self, record: StoredResponse, response: dict[str, Any]) -> StoredResponse:
        """The record with the whole response, which is written unless it was deleted meanwhile."""
        complete = record._replace(response=response)
        self.store.complete(complete)
        return complete


def new_object(
    job: Job, request: ResponseRequest, own_id: str, *, is_stored: bool
) -> dict[str, Any]:
    """The response of a job before it has begun.

    `own_id` is the job's id. With another one, the job is older than the response, which is created
    now.
    """
    asked = job.request()
    if own_id != job.id:
        created_at = int(time.time())
    else:
        created_at = int(seconds_between(EPOCH, asked.started_at)) if asked else 0
    response = new_response(f"{PREFIX}{own_id}", created_at, request)
    response["store"] = is_stored
    return response


def tools_for(tools: RequestTools, own: list[str] | None) -> ClientTools | None:
    """The tools of the model beside the CLI's `own`; None in agent mode."""
    return None if own is None else tools.offered._replace(own=own)


def cut_for(request: ResponseRequest, tools: ClientTools | None) -> Cut:
    """The cut of an answer. In model mode the model itself has a limit."""
    return Cut([], request.max_output_tokens if tools is None else None)
