"""The tables and examples of the documentation are complete, and as the code is."""

import argparse
import re
import tomllib
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from app.api.answer_body import AnswerBody
from app.api.described.jobs import Done, JobRecord, MessageState, Reason, StreamError
from app.api.described.runs import RunRow
from app.api.message_body import MessageBody
from app.cli.control_requests import ALLOWED
from app.cli.request_fields import ChatRequest
from app.conversation.options import _OWN_OPTIONS as OWN_OPTIONS
from app.errors import DiskFull, InvalidRequest
from app.http.access import ACCESS_ERRORS
from app.http.body import BODY_ERRORS
from app.openapi.describe import Description, description_of
from app.openapi.document import make_document, path_of
from app.openapi.operation import COMMON_ERRORS
from app.records.job_records import Status
from app.settings import setting_names
from app.tool.main import COMMANDS
from app.tool.parser import EXIT_CODES, build_parser
from tests.docs.test_names import literals
from tests.support.described import application, check_body
from tests.support.pages import ROOT, Page, names_in, page, rows

API = page("docs/api.md")
OPENAI = page("docs/openai.md")
ANTHROPIC = page("docs/anthropic.md")
RESPONSES = page("docs/responses.md")
SETTINGS = page("docs/settings.md")
STREAMS = page("docs/streams.md")
#: Errors that are described once, for all routes or for all with a body.
EVERYWHERE = {(error.status, error.code) for error in (*COMMON_ERRORS, *ACCESS_ERRORS)}
WITH_BODY = {(error.status, error.code) for error in (*BODY_ERRORS, InvalidRequest, DiskFull)}


def routes() -> dict[str, Description]:
    """The description of each route, by method and path."""
    found = {}
    for rule in application().url_map.iter_rules():
        description = description_of(application().view_functions[rule.endpoint])
        assert description is not None
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            found[f"{method} {path_of(rule, description)}"] = description
    return found


ROUTES = routes()


def page_of(route: str) -> Page:
    """The page with the section of a route."""
    if " /v1/messages" in route:
        return ANTHROPIC
    if " /v1/responses" in route:
        return RESPONSES
    return OPENAI if " /v1/" in route else API


def sections(route: str) -> str:
    """The text of the section of a route. Fails if there is none."""
    found = page_of(route)
    for heading in found.headings():
        if f"`{route}`" in heading:
            return found.section(heading)
    # The files of the pages, which no client asks for.
    assert route in ("GET /docs/{name}", "GET /favicon.ico"), (
        f"{found.name} has no section of {route}"
    )
    return found.section("`GET /openapi.json`, `GET /docs`, `GET /redoc`")


def first_column(text: str) -> list[str]:
    """What stands between backticks in the first cells of the rows of tables."""
    return [name for row in rows(text) for name in names_in(row[0])]


def test_the_tables_of_settings_are_complete() -> None:
    names = first_column(SETTINGS.text)
    assert sorted(names) == sorted(setting_names())


def test_the_defaults_of_settings_are_those_of_the_example() -> None:
    example = dict(
        re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    )
    words = {
        "AUTH_PASSWORD": "none",
        "MODELS": "see `.env.example`",
        "WORKSPACES": "`workspaces` in `STATE_DIR`",
        **dict.fromkeys(("MAX_JOBS", "SPARES"), "by memory"),
        "RUNS_MEMORY": "a quarter of the memory",
    }
    for row in rows(SETTINGS.text):
        (name,) = names_in(row[0])
        default = f"`{example[name]}`" if example[name] else "empty"
        assert row[1] == words.get(name, default), name


def test_every_route_has_a_section_and_is_in_the_list() -> None:
    listed = {name for row in rows(API.text.partition("\n## ")[0]) for name in names_in(row[0])}
    for route in ROUTES:
        assert sections(route)
        if " /v1/" not in route and route not in LISTED_WITH_OTHERS:
            assert route in listed, route


LISTED_WITH_OTHERS = {"GET /openapi.json", "GET /redoc", "GET /docs/{name}", "GET /favicon.ico"}


@pytest.mark.parametrize("route", [route for route in ROUTES if " /v1/" not in route])
def test_the_errors_of_a_route_are_in_its_section(route: str) -> None:
    described = {(error.status, error.code) for error in ROUTES[route].errors} - EVERYWHERE
    if ROUTES[route].body is not None:
        described -= WITH_BODY
    shown = {
        (int(row[0]), code)
        for row in rows(sections(route))
        if re.fullmatch(r"\d{3}", row[0])
        for code in names_in(row[1])
    }
    # Of a file of the pages.
    assert described - shown <= {(404, "not_found")}
    # What becomes of a job that is waited for is in its record.
    assert all(status == 424 and "job_" in code for status, code in shown - described)


def test_the_errors_of_all_routes_are_in_two_tables() -> None:
    table = {
        (int(status), code)
        for row in rows(API.section("Errors"))
        for status, code in zip(
            *(row[0].split(", ") * len(names_in(row[1])), names_in(row[1])), strict=False
        )
    }
    for error in (*COMMON_ERRORS, *ACCESS_ERRORS, *BODY_ERRORS):
        assert (error.status, error.code) in table


def test_the_errors_of_v1_are_in_one_table_for_each_api() -> None:
    tables = {
        OPENAI: (OPENAI.section("Errors of `/v1`"), 1),
        ANTHROPIC: (ANTHROPIC.section("Errors"), 2),
        # Its errors are those of OpenAI's API, and some of its own.
        RESPONSES: (OPENAI.section("Errors of `/v1`") + RESPONSES.section("Errors"), 1),
    }
    for route, description in ROUTES.items():
        if " /v1/" not in route:
            continue
        table, column = tables[page_of(route)]
        shown = {name for row in rows(table) for name in names_in(row[column])}
        for error in description.errors:
            code = description.error_bodies[0].codes.get(error.code, error.code)
            assert code in shown or (error.status, error.code) in EVERYWHERE | WITH_BODY, code


def test_every_field_has_a_row_with_its_type_and_flag() -> None:
    table = {names_in(row[0])[0]: row for row in rows(sections("POST /chat")) if len(row) == 4}
    assert set(table) == set(ChatRequest.model_fields)
    schema = ChatRequest.model_json_schema()
    for name, row in table.items():
        assert ("required" in row[1]) == (name in schema["required"])
        words = {"boolean": "bool", "array": "list", "integer": "number"}
        kinds = {words.get(kind, kind) for kind in types_of(schema["properties"][name])} - {"null"}
        assert kinds == set(re.findall(r"^\w+|(?<= or )\w+", row[1])), name
        for flag in names_in(row[2]):
            assert any(text.startswith(flag) for text in literals()), flag


def types_of(schema: dict[str, Any]) -> set[str]:
    """The JSON types of a schema."""
    if "anyOf" in schema:
        return {kind for each in schema["anyOf"] for kind in types_of(each)}
    return {schema["type"]} if isinstance(schema.get("type"), str) else set()


@pytest.mark.parametrize(
    ("text", "model"),
    [
        (STREAMS.section("How a job ended"), Done),
        (sections("POST /jobs/{process_id}/messages"), MessageBody),
        (sections("POST /jobs/{process_id}/questions/{question_id}"), AnswerBody),
    ],
)
def test_every_key_has_a_row(text: str, model: type[BaseModel]) -> None:
    assert set(model.model_fields) <= set(first_column(text))


def test_every_key_of_a_record_has_a_row() -> None:
    shown = {*first_column(sections("GET /jobs/{process_id}")), *first_column(STREAMS.text)}
    assert set(JobRecord.model_fields) <= shown


def test_the_values_of_enumerations_are_all_there() -> None:
    ended = STREAMS.section("How a job ended")
    assert set(get_args(Status)) <= set(first_column(ended))
    assert set(get_args(Reason)) <= set(re.findall(r"`(\w+)`", ended))
    assert set(StreamError.model_fields["code"].annotation.__args__) <= set(
        first_column(STREAMS.section("Events"))
    )
    states = set(get_args(MessageState.model_fields["state"].annotation))
    assert states <= set(first_column(sections("POST /jobs/{process_id}/messages")))
    states = set(get_args(RunRow.model_fields["state"].annotation))
    assert states == set(first_column(sections("GET /runs")))
    assert set(ALLOWED) <= set(first_column(sections("POST /jobs/{process_id}/control")))


def test_every_option_has_a_row() -> None:
    assert set(first_column(OPENAI.section("Options"))) == OWN_OPTIONS


@pytest.mark.parametrize("route", list(ROUTES))
def test_examples_of_answers_are_what_the_document_describes(route: str) -> None:
    models = [
        model
        for response in ROUTES[route].responses.values()
        for model in response.content.values()
        if isinstance(model, type) and issubclass(model, BaseModel)
    ]
    for text in re.findall(r"^```json\n(.*?)^```$", sections(route), re.MULTILINE | re.DOTALL):
        assert any(fits(model, text) for model in models), text


def fits(model: type[BaseModel], text: str) -> bool:
    """Whether a JSON text is this model."""
    try:
        check_body(model, text.encode())
    except ValidationError:
        return False
    return True


def test_the_table_of_commands_is_complete() -> None:
    text = page("docs/command.md")
    found = re.findall(r"^\| `([a-z]+)[^`]*` \|", text.text.partition("\n## ")[0], re.MULTILINE)
    assert found == list(COMMANDS)
    statuses = [row[0] for row in rows(text.section("Exit status"))]
    assert statuses == re.findall(r"^  (\d+) ", EXIT_CODES, re.MULTILINE)


def test_every_option_of_the_command_is_on_its_page() -> None:
    text = page("docs/command.md").text
    parser = build_parser()
    (commands,) = [
        action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    ]
    for name, command in commands.choices.items():
        for option in {text for action in command._actions for text in action.option_strings}:
            if option.startswith("--"):
                assert re.search(rf"(?<![\w-]){option}(?![\w-])", text), f"{name} {option}"


def test_every_marker_of_tests_has_a_row() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    markers = [text.partition(":")[0] for text in tools["pytest"]["ini_options"]["markers"]]
    assert sorted(first_column(page("CONTRIBUTING.md").section("Tests"))) == sorted(markers)


def test_the_document_has_no_route_that_is_missing_here() -> None:
    documented = {
        f"{method.upper()} {path}"
        for path, methods in make_document(application())["paths"].items()
        for method in methods
    }
    assert documented == set(ROUTES)
