"""The OpenAPI document: it has every route, and describes every response that a test gets.

`tests.support.described` checks every response of every test against the same descriptions.
`tests.openapi.test_oracles` tests that the document is OpenAPI and that a gateway conforms to it.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from app import errors as all_errors
from app.api.described.health import Root
from app.api.described.job_stream import EVENTS
from app.api.described.jobs import Done
from app.cli.request_fields import ChatRequest
from app.errors import GatewayError
from app.openapi.describe import describes
from app.openapi.document import NotDescribed, make_document
from app.openapi.headers import HEADERS
from app.openapi.introduction import ADDRESS, introduction
from app.openapi.operation import operation_id
from app.openapi.tags import TAGS
from tests.support.described import application, check_body
from tests.support.gateway import ROOT, Gateway

PAGES = ROOT / "app/openapi/templates"
NO_ERRORS_OF_A_VIEW = {GatewayError}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document of the whole application."""
    return make_document(application())


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All operations."""
    for path in document["paths"].values():
        yield from path.values()


def error_classes() -> set[type[GatewayError]]:
    """All errors that there are."""
    return {
        each
        for each in vars(all_errors).values()
        if isinstance(each, type) and issubclass(each, GatewayError)
    }


def test_every_route_is_in_the_document(document: dict[str, Any]) -> None:
    described = {
        (method.upper(), operation["operationId"])
        for path in document["paths"].values()
        for method, operation in path.items()
    }
    assert described == {
        (method, rule.endpoint.replace(".", "_"))
        for rule in application().url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def test_a_view_that_says_nothing_is_refused() -> None:
    app = Flask("x", static_folder=None)
    app.add_url_rule("/x", view_func=lambda: "x")
    with pytest.raises(NotDescribed, match="/x"):
        make_document(app)


def test_a_path_parameter_without_words_is_refused() -> None:
    app = Flask("x", static_folder=None)
    app.add_url_rule("/<y>", endpoint="x", view_func=describes("X.", {200: Root})(lambda y: y))
    with pytest.raises(NotDescribed, match="<y>"):
        make_document(app)


def test_a_view_without_a_tag_is_refused() -> None:
    app = Flask("x", static_folder=None)
    app.add_url_rule("/x", endpoint="x.y", view_func=describes("X.", {200: Root})(lambda: "x"))
    with pytest.raises(NotDescribed, match=r"x\.y in app/openapi/tags\.py"):
        make_document(app)


def test_the_operations_are_in_the_order_of_their_tags(document: dict[str, Any]) -> None:
    order = [operation["operationId"] for operation in operations(document)]
    assert order[0] == "chat_start"
    assert {*order} == {operation_id(endpoint) for tag in TAGS for endpoint in tag.endpoints}
    assert [tag["name"] for tag in document["tags"]] == [tag.name for tag in TAGS]
    assert all(tag["description"] for tag in document["tags"])


def test_it_begins_with_a_request_that_names_only_defaults(document: dict[str, Any]) -> None:
    assert document["info"]["description"] == introduction("admin")
    assert f"curl -N -u admin {ADDRESS}/chat" in introduction("admin")
    other = introduction("x-y-z", is_confined=True)
    assert "x-y-z" not in other
    assert "-u USER " in other
    assert "Replace `USER` by AUTH_USER. Replace `/FOLDER` by a folder in CWD_ROOTS." in other
    # The pages replace it.
    assert ADDRESS in (PAGES / "document.js").read_text(encoding="utf-8")


def test_every_error_is_some_operations(document: dict[str, Any]) -> None:
    # Some can happen anywhere, and are described once.
    described = json.dumps(document)
    for error in error_classes():
        assert f'"{error.code}"' in described or f"`{error.code}`" in described
        assert error.__doc__


def test_errors_have_the_headers_that_they_name() -> None:
    for error in error_classes() - NO_ERRORS_OF_A_VIEW:
        instance = error.__new__(error)
        instance.__dict__.update(retry_after=1, job_id="x")
        # Connection: close concerns the connection, not the client.
        assert set(instance.headers()) - {"Connection"} == set(error.header_names), error


def test_each_field_of_a_job_has_words(document: dict[str, Any]) -> None:
    fields = document["components"]["schemas"]["ChatRequest"]["properties"]
    assert set(fields) == set(ChatRequest.model_fields)
    assert all(field["description"] for field in fields.values())
    parameters = document["paths"]["/chat"]["post"]["parameters"]
    query = {each["name"] for each in parameters if each["in"] == "query"}
    assert query == {"fields"}
    (whole,) = (each for each in parameters if each["in"] == "query")
    assert (whole["style"], whole["explode"]) == ("form", True)
    assert set(whole["schema"]["properties"]) == set(fields) - {"prompt"}


def test_only_the_open_paths_need_no_credentials(document: dict[str, Any]) -> None:
    open_to_all = {
        path
        for path, methods in document["paths"].items()
        for operation in methods.values()
        if operation["security"] == []
    }
    assert open_to_all == {
        "/",
        "/console/assets/{name}",
        "/health",
        "/openapi.json",
        "/docs",
        "/docs/{name}",
        "/favicon.ico",
        "/ready",
        "/redoc",
    }


def test_the_example_of_a_stream_is_one() -> None:
    *_, last = EVENTS.example.rstrip("\n").split("\n\n")
    name, data, identity = last.split("\n")
    assert (name, identity) == ("event: done", "id: end")
    check_body(Done, data.removeprefix("data: ").encode())


def test_every_header_is_some_answers(document: dict[str, Any]) -> None:
    described = {
        name
        for operation in operations(document)
        for response in operation["responses"].values()
        for name in response["headers"]
    }
    assert described == set(HEADERS)


def test_it_is_served_to_all_and_kept_by_clients(gateway: Gateway) -> None:
    answer = gateway.ask("GET", "/openapi.json", auth=None)
    assert answer.json() == make_document(application())
    tag = answer.headers["ETag"]
    again = gateway.ask("GET", "/openapi.json", auth=None, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == tag


def undescribed(document: dict[str, Any], node: object, place: str) -> Iterator[str]:
    """The properties in a part of the document that have no description, by their places."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from undescribed(document, item, f"{place}/{index}")
    if not isinstance(node, dict):
        return
    properties = node.get("properties", {})
    # A narrower form of a model has the model's descriptions.
    narrowed = resolved(document, node).get("properties", {}) if "$ref" in node else {}
    for name, schema in properties.items():
        found = [schema, resolved(document, schema), narrowed.get(name, {})]
        if not any(each.get("description") for each in found):
            yield f"{place}: {name}"
        yield from undescribed(document, schema, f"{place}/{name}")
    for key, part in node.items():
        # Examples are no schemas.
        if key not in ("example", "examples", "properties"):
            yield from undescribed(document, part, f"{place}/{key}")


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema to which another one refers; the schema itself if it refers to none."""
    found: dict[str, Any] = schema
    if "$ref" in schema:
        found = document
        for key in schema["$ref"].split("/")[1:]:
            found = found[key]
    return found


def test_each_property_of_each_body_has_words(document: dict[str, Any]) -> None:
    # The fields as query parameters are those of the body (test_each_field_of_a_job_has_words).
    parts = [document["components"]] + [
        operation.get(part, {})
        for operation in operations(document)
        for part in ("requestBody", "responses")
    ]
    assert [place for part in parts for place in undescribed(document, part, "")] == []


def test_a_property_without_words_is_found(document: dict[str, Any]) -> None:
    body = {"schema": {"properties": {"x": {"type": "string"}}}}
    assert [*undescribed(document, {"content": [body]}, "")] == ["/content/0/schema: x"]


def test_each_model_has_words_and_a_name_of_one_word(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        # Two models of one name would get the names of their modules.
        assert name.isalnum(), name
        assert schema["description"], name
