"""All views of the Responses API."""

from flask import Blueprint

from app.conversation.chat_turns import ChatTurns
from app.conversation.conversations import Conversations
from app.jobs.service import JobService
from app.responses import stored
from app.responses.create import Creation
from app.responses.direct_response import DirectResponses
from app.responses.history import History
from app.responses.replay import Replay
from app.responses.store import ResponseStore


def blueprint(
    jobs: JobService,
    turns: ChatTurns,
    direct: DirectResponses,
    conversations: Conversations,
    store: ResponseStore,
    head_delay: float,
) -> Blueprint:
    """The views. The head of a response that is not streamed waits for `head_delay` seconds."""
    views = Blueprint("responses", __name__)
    replay = Replay(jobs, store)
    history = History(replay, conversations)
    Creation(turns, direct, replay, history, head_delay).add_route(views)
    stored.add_routes(views, replay)
    return views
