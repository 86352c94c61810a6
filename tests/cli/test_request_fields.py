"""Which request bodies are valid; an error names the field and never repeats the value."""

import json
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.request_fields import LISTS as ALL_LISTS
from app.cli.request_fields import NUMBERS, SWITCHES, ChatRequest, read_request
from app.cli.request_fields import OBJECTS as ALL_OBJECTS
from app.errors import ConflictingFields, InvalidRequest
from app.json_body import MOST_ERRORS, MOST_FIELDS, MOST_ITEMS

LEAST = {"prompt": "hi", "cwd": "/"}
PRIVATE = "sk-ant-0123456789"
OPTIONAL = sorted(set(ChatRequest.model_fields) - {"prompt", "cwd"})
TEXTS = [
    "cwd",
    "model",
    "fallback_model",
    "system_prompt",
    "append_system_prompt",
    "permission_mode",
    "settings",
]
LISTS = sorted(ALL_LISTS - {"setting_sources"})
OBJECTS = sorted(ALL_OBJECTS - {"env"})
SESSION = "f9645fec-cdad-4505-8f73-2b22a415a890"
OTHER = "1f1c3a0e-5a0c-4d53-9a5e-0c8e4f0f6b11"


def errors_of(body: bytes | dict[str, Any]) -> list[dict[str, Any]]:
    """The errors that a body is refused with."""
    with pytest.raises(InvalidRequest) as refused:
        read_request(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert refused.value.status == 422
    assert not isinstance(refused.value.detail, str)
    errors = [dict(error) for error in refused.value.detail]
    assert errors
    for error in errors:
        assert set(error) == {"type", "loc", "msg"}
        assert error["loc"][0] == "body"
        assert error["msg"]
    return errors


def test_a_prompt_and_a_directory_are_enough() -> None:
    request = read_request(b'{"prompt": "hi", "cwd": "/srv"}')
    assert (request.prompt, request.cwd) == ("hi", "/srv")
    assert all(getattr(request, field) is None for field in OPTIONAL)


@pytest.mark.parametrize("field", OPTIONAL)
def test_every_other_field_may_be_null(field: str) -> None:
    assert getattr(read_request(json.dumps({**LEAST, field: None}).encode()), field) is None


@pytest.mark.parametrize("field", ["prompt", "cwd"])
def test_prompt_and_directory_are_required(field: str) -> None:
    body = {name: value for name, value in LEAST.items() if name != field}
    assert [(error["type"], error["loc"]) for error in errors_of(body)] == [
        ("missing", ["body", field])
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("allowed_tool", "allowed_tools"),
        ("allowedTools", "allowed_tools"),
        ("alowed_tools", "allowed_tools"),
        ("disallowedTools", "disallowed_tools"),
        ("permission-mode", "permission_mode"),
        ("system", "system_prompt"),
        ("sessionid", "session_id"),
        ("Prompt", "prompt"),
    ],
)
def test_an_unknown_field_is_named_with_the_nearest_known_one(name: str, meant: str) -> None:
    (error,) = errors_of({**LEAST, name: [PRIVATE]})
    assert error["type"] == "extra_forbidden"
    assert error["loc"] == ["body", name]
    assert f"did you mean {meant!r}?" in error["msg"]


@pytest.mark.parametrize("name", ["xyzzy", "", "\u2028", "__class__", "model_config"])
def test_an_unknown_field_with_no_near_one_is_refused_too(name: str) -> None:
    (error,) = errors_of({**LEAST, name: 1})
    assert error["loc"] == ["body", name]


def test_every_wrong_field_is_reported_at_once() -> None:
    errors = errors_of({"prompt": 1, "tools": "Bash", "xyzzy": True})
    assert {tuple(error["loc"]) for error in errors} == {
        ("body", "prompt"),
        ("body", "cwd"),
        ("body", "tools"),
        ("body", "xyzzy"),
    }


WRONG: list[tuple[str, Any]] = [
    *[(field, value) for field in TEXTS for value in (1, True, [PRIVATE], {PRIVATE: PRIVATE})],
    *[
        (field, value)
        for field in LISTS
        for value in (PRIVATE, {PRIVATE: 1}, [1], [None], [[PRIVATE]])
    ],
    *[
        (field, value)
        for field in sorted(SWITCHES)
        for value in (PRIVATE, 2, [PRIVATE], {PRIVATE: 1})
    ],
    *[(field, value) for field in OBJECTS for value in (PRIVATE, 1, [PRIVATE], True)],
    ("prompt", None),
    ("prompt", 7),
    ("prompt", [{"type": "text", "text": PRIVATE}]),
    ("cwd", None),
    ("cwd", ""),
    *[("max_turns", value) for value in (PRIVATE, [1], 0, -1, 1.5, 1_000_001, 1e300)],
    *[("max_budget_usd", value) for value in (PRIVATE, [1], 0, -1, 1e-7, 1_000_001)],
    *[("effort", value) for value in (PRIVATE, 1, ["low"], "Low", "")],
    *[("agent", value) for value in (1, [PRIVATE], PRIVATE * 50)],
    *[("name", value) for value in (1, [PRIVATE], PRIVATE * 20)],
    *[("title", value) for value in (1, [PRIVATE], PRIVATE * 20)],
    *[("setting_sources", value) for value in (PRIVATE, [PRIVATE], [1], ["user"] * 4, ["User"])],
    *[("env", value) for value in (PRIVATE, [PRIVATE], {"A": 1}, {"A": None}, {"A": [PRIVATE]})],
    *[("env", {name: PRIVATE}) for name in ("", "A B", "A=B", "A\n", "1A", "é", "A" * 101)],
    ("env", {"A": "x" * 32_769}),
    ("env", {f"A{n}": "" for n in range(101)}),
    ("env", {f"A{n}": "x" * 30_000 for n in range(10)}),
    *[("ask_timeout", value) for value in (PRIVATE, [1], 0, -1, 31_536_001)],
    *[("keep_alive", value) for value in (PRIVATE, [1], "", "5 m", "m", "1e3", "5d", "-1m", -2)],
    *[("keep_alive", value) for value in ("-0.5", "9" * 400)],
    *[("background_wait", value) for value in (PRIVATE, [1], -1, 31_536_001)],
    ("debug", 7),
    ("debug", [PRIVATE]),
    *[(field, [PRIVATE, ""]) for field in LISTS],
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_value_of_the_wrong_type_is_refused_by_name_and_not_repeated(
    field: str, value: Any
) -> None:
    errors = errors_of({**LEAST, field: value})
    assert {error["loc"][1] for error in errors} == {field}
    assert PRIVATE not in json.dumps(errors)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"hello",
        b"prompt=hi&cwd=/",
        b"{'prompt': 'hi'}",
        b'{"prompt": "hi", "cwd": "/"',
        b'{"prompt": "hi", "cwd": "/"} x',
        b'{"prompt": "hi", "cwd": "/",}',
        b'{"prompt": "a\nb", "cwd": "/"}',
        b'{"prompt": "\xff", "cwd": "/"}',
        b'{"prompt": "\xed\xa0\x80", "cwd": "/"}',
        b'{"prompt": "hi", "cwd": "/", "timeout": NaN}',
        b'{"prompt": "hi", "cwd": "/", "timeout": -Infinity}',
        b'\xff\xfe{"prompt": "hi", "cwd": "/"}',
    ],
)
def test_what_is_not_json_is_refused_as_a_whole(body: bytes) -> None:
    (error,) = errors_of(body)
    assert error["type"] == "json_invalid"
    assert error["loc"] == ["body"]


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"hi"', b'[{"prompt": "hi"}]'])
def test_json_that_is_no_object_is_refused(body: bytes) -> None:
    (error,) = errors_of(body)
    assert error["loc"] == ["body"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
@pytest.mark.parametrize("field", OBJECTS)
def test_a_number_that_json_cannot_carry_is_refused_and_not_handed_to_the_cli(
    field: str, number: str
) -> None:
    body = f'{{"prompt": "hi", "cwd": "/", "{field}": {{"a": [{number}]}}}}'.encode()
    errors_of(body)


@pytest.mark.parametrize(
    ("fields", "location"),
    [
        ({"prompt": "a\0b"}, ["prompt"]),
        *[({field: "a\0"}, [field]) for field in TEXTS],
        ({"debug": "\0"}, ["debug"]),
        *[({field: ["ok", "\0a"]}, [field, 1]) for field in LISTS],
        *[({field: {"a": "\0"}}, [field, "a"]) for field in OBJECTS],
        *[({field: {"a": [{"b": "x\0"}]}}, [field, "a", 0, "b"]) for field in OBJECTS],
        *[({field: {"\0": 1}}, [field]) for field in OBJECTS],
        *[({field: {"a": {"b\0": 1}}}, [field, "a"]) for field in OBJECTS],
    ],
)
def test_a_nul_is_refused_wherever_it_is(fields: dict[str, Any], location: list[str | int]) -> None:
    (error,) = errors_of({**LEAST, **fields})
    assert error["type"] == "nul_character"
    assert error["loc"] == ["body", *location]


@pytest.mark.parametrize(
    "text",
    [
        *("topsecret", "--help", "../x", "a\0", " ", "null", "f9645fec"),
        "f9645feccdad45058f732b22a415a890",
        "{f9645fec-cdad-4505-8f73-2b22a415a890}",
        "urn:uuid:f9645fec-cdad-4505-8f73-2b22a415a890",
        "f9645fec-cdad-4505-8f73-2b22a415a890\n",
        "f9645fec-cdad-4505-8f73-2b22a415a89٣",
        "x" * 10_000_000,
    ],
    ids=lambda text: text[:40],
)
def test_a_session_is_named_by_its_id_and_by_no_title(text: str) -> None:
    (error,) = errors_of({**LEAST, "session_id": text})
    assert (error["type"], error["loc"]) == ("no_session_id", ["body", "session_id"])
    assert len(error["msg"]) < 200


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ""),
        ("F9645FEC-CDAD-4505-8F73-2B22A415A890", "f9645fec-cdad-4505-8f73-2b22a415a890"),
    ],
)
def test_an_id_of_a_session_may_be_empty_or_large(text: str, found: str) -> None:
    assert read_request(json.dumps({**LEAST, "session_id": text}).encode()).session_id == found


@pytest.mark.parametrize("field", ["new_session_id", "resume_session_at"])
def test_other_ids_are_uuids_too(field: str) -> None:
    for text in ("msg_01", "--help", f"{SESSION} "):
        (error,) = errors_of({**LEAST, field: text})
        assert error["loc"] == ["body", field]
        assert "Must be a UUID" in error["msg"]
    read = read_request(json.dumps({**LEAST, "new_session_id": SESSION.upper()}).encode())
    assert read.new_session_id == SESSION


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0),
        (2.5, 2.5),
        (-1, -1),
        ("90s", 90),
        ("5m", 300),
        ("1h", 3600),
        ("0.5h", 1800),
        (" 300 ", 300),
        ("-1", -1),
        # More than the operator allows means what the operator allows.
        (1e9, 1e9),
    ],
)
def test_a_time_to_stay_is_a_number_or_a_text(value: Any, seconds: float) -> None:
    request = read_request(json.dumps({**LEAST, "keep_alive": value}).encode())
    assert request.keep_alive == seconds


CONFLICTS: list[tuple[dict[str, Any], str]] = [
    ({"new_session_id": SESSION, "session_id": OTHER}, "new_session_id"),
    ({"resume_session_at": OTHER}, "resume_session_at"),
    ({"resume_session_at": OTHER, "session_id": ""}, "resume_session_at"),
    ({"restricted": True, "permission_mode": "bypassPermissions"}, "permission_mode"),
    ({"keep_alive": "5m", "session_persistence": False}, "keep_alive"),
    ({"keep_alive": -1, "session_persistence": False}, "keep_alive"),
]


@pytest.mark.parametrize(("fields", "param"), CONFLICTS)
def test_fields_that_exclude_each_other_are_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ConflictingFields) as refused:
        read_request(json.dumps({**LEAST, **fields}).encode())
    assert (refused.value.status, refused.value.param) == (400, param)
    assert param in str(refused.value.detail)


@pytest.mark.parametrize(
    "fields",
    [
        {"new_session_id": SESSION, "session_id": OTHER, "fork_session": True},
        {"new_session_id": SESSION, "session_id": ""},
        {"resume_session_at": OTHER, "session_id": SESSION},
        {"restricted": True, "permission_mode": "acceptEdits"},
        {"restricted": False, "permission_mode": "bypassPermissions"},
        {"keep_alive": 0, "session_persistence": False},
        {"keep_alive": "5m", "session_persistence": True},
    ],
)
def test_fields_that_fit_each_other_are_accepted(fields: dict[str, Any]) -> None:
    read_request(json.dumps({**LEAST, **fields}).encode())


def test_the_kinds_of_fields_are_those_of_the_model() -> None:
    """Headers and queries have texts only: the kind says what a text means."""
    properties = ChatRequest.model_json_schema()["properties"]
    kinds = {
        name: {kind.get("type", "string") for kind in schema.get("anyOf", [schema])} - {"null"}
        for name, schema in properties.items()
    }
    assert {name for name, kind in kinds.items() if kind == {"array"}} == ALL_LISTS
    assert {name for name, kind in kinds.items() if kind == {"object"}} == ALL_OBJECTS
    assert {name for name, kind in kinds.items() if kind == {"boolean"}} == SWITCHES
    assert {name for name, kind in kinds.items() if kind <= {"number", "integer"}} == NUMBERS
    assert kinds["keep_alive"] == {"number", "string"}


@pytest.mark.parametrize("prompt", ["", " ", "\n", "\t\r\n ", "\u2003\u2028"])
def test_a_blank_prompt_is_refused(prompt: str) -> None:
    (error,) = errors_of({**LEAST, "prompt": prompt})
    assert error["loc"] == ["body", "prompt"]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_json_comes_in_any_encoding_of_unicode(encoding: str, mark: str) -> None:
    body = f'{mark}{{"prompt": "héllo 😀", "cwd": "/"}}'.encode(encoding)
    assert read_request(body).prompt == "héllo 😀"


def test_half_a_surrogate_pair_is_a_replacement_character() -> None:
    """Clients send back what the CLI wrote, and the CLI writes such halves."""
    body = b'{"prompt": "a\\ud83d \\ud83d\\ude00", "cwd": "/", "agents": {"\\udc00": ["\\uD800"]}}'
    request = read_request(body)
    assert request.prompt == "a\ufffd 😀"
    assert request.agents == {"\ufffd": ["\ufffd"]}


MANY = MOST_ITEMS + 1
#: Made when they are needed: together they take 300 MB.
HOSTILE = {
    "numbers": (lambda: b'{"allowed_tools":[' + b"1," * MANY + b"1]}", "too_many_items"),
    "texts": (lambda: b'{"allowed_tools":[' + b'"",' * MANY + b'""]}', "too_many_items"),
    "names": (
        lambda: b'{"agents":{' + b",".join(b'"%d":1' % n for n in range(MANY)) + b"}}",
        "too_many_items",
    ),
    "lists": (lambda: b'{"agents":{"a":[' + b"[]," * MANY + b"[]]}}", "too_many_items"),
    "levels": (lambda: b'{"agents":{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}}", "too_deep"),
    "open levels": (lambda: b'{"agents":{"a":' + b"[" * (1 << 25), "too_many_items"),
    "digits": (lambda: b'{"timeout":' + b"1" * (1 << 25) + b"}", "too_long"),
    "fraction": (lambda: b'{"timeout":1.' + b"1" * 10_000 + b"}", "too_long"),
    "fields": (
        lambda: b"{" + b",".join(b'"%d":1' % n for n in range(MOST_FIELDS + 1)) + b"}",
        "too_many_items",
    ),
    "strings": (lambda: b'""' * (1 << 24), "too_many_items"),
    "escaped quotes": (lambda: b'{"prompt":"' + b'\\"' * (1 << 24) + b'"}', "too_many_escapes"),
    "newlines": (lambda: b'{"prompt":"' + b"\\n" * (1 << 24) + b'"}', "too_many_escapes"),
    "backslashes": (lambda: b'{"prompt":"' + b"\\" * (1 << 25) + b'"}', "too_many_escapes"),
    "a long name": (lambda: b'{"' + b"x" * (1 << 25) + b'":1}', "missing"),
    "a long text": (lambda: b'{"model":"' + b"x" * (1 << 25) + b'"}', "missing"),
    "unknown fields": (
        lambda: b"{" + b",".join(b'"%d":1' % n for n in range(MOST_FIELDS)) + b"}",
        "missing",
    ),
    "wrong members": (lambda: b'{"allowed_tools":[' + b"1," * 90_000 + b"1]}", "missing"),
    "many variables": (
        lambda: b'{"env":{' + b",".join(b'"%d":1' % n for n in range(90_000)) + b"}}",
        "missing",
    ),
    "many members": (lambda: b'{"allowed_tools":[' + b'"x",' * 90_000 + b'"x"]}', "missing"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_too_much_is_refused_before_it_is_looked_at(name: str) -> None:
    make, kind = HOSTILE[name]
    body = make()
    before = time.process_time()
    errors = errors_of(body)
    # Several times what it takes: 0.1 s for each 32 MB.
    assert time.process_time() - before < 1.5
    assert errors[0]["type"] == kind
    assert len(errors) <= MOST_ERRORS
    assert len(json.dumps(errors)) < 10_000


@pytest.mark.parametrize("character", ["x", "é", "中", "😀", "\n", '"', "\\", "\x01"])
@pytest.mark.parametrize("mixed", ["", "😀"])
def test_reading_a_request_takes_a_few_times_its_size(character: str, mixed: str) -> None:
    size = 1 << 22
    text = "x" + mixed + character * (size // len(json.dumps(character)))
    body = json.dumps({**LEAST, "prompt": text}, ensure_ascii=False).encode()
    tracemalloc.start()
    try:
        read_request(body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * len(body)


def test_nesting_that_json_allows_is_taken_as_it_is() -> None:
    deep: dict[str, Any] = {}
    for _ in range(50):
        deep = {"a": [deep]}
    request = read_request(json.dumps({**LEAST, "json_schema": {"deep": deep}}).encode())
    assert request.json_schema == {"deep": deep}


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.just(PRIVATE), st.just(f"\0{PRIVATE}")),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.just(PRIVATE), inner)),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(sorted(ChatRequest.model_fields)), VALUES))
def test_no_error_repeats_a_value(fields: dict[str, Any]) -> None:
    try:
        read_request(json.dumps(fields).encode())
    except InvalidRequest as refused:
        errors = [
            # A key of a nested object is part of the error's location.
            {"type": error["type"], "msg": error["msg"], "loc": error["loc"][:2]}
            for error in refused.detail
            if not isinstance(error, str)
        ]
        assert PRIVATE not in json.dumps(errors)
        assert PRIVATE not in repr(refused.__cause__)


@given(st.text())
def test_any_prompt_without_a_nul_that_says_something_arrives_as_it_is(prompt: str) -> None:
    body = json.dumps({**LEAST, "prompt": prompt}).encode()
    if "\0" in prompt or not prompt.strip():
        errors_of(body)
    else:
        assert read_request(body).prompt == prompt
