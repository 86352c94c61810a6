"""The mode in which a request is answered."""

import pytest

from app.conversation.chat_turns import mode_of
from app.conversation.client_tools import ClientTool, ClientTools, ToolChoice
from app.conversation.errors import BadParameter
from app.conversation.options import Mode

NONE = ClientTools([])
ONE = ClientTools([ClientTool("weather", None, None)])
NOT_NOW = ONE._replace(choice=ToolChoice("none"))


@pytest.mark.parametrize(
    ("tools", "asked", "default", "expected"),
    [
        (None, None, None, "agent"),
        (None, None, "agent", "agent"),
        (None, None, "model", "model"),
        (NONE, None, None, "model"),
        (NONE, None, "agent", "agent"),
        (ONE, None, None, "model"),
        (ONE, None, "agent", "model"),
        (NOT_NOW, None, None, "model"),
        (None, "model", "agent", "model"),
        (NONE, "agent", "model", "agent"),
        (NOT_NOW, "agent", None, "agent"),
        (ONE, "model", None, "model"),
    ],
)
def test_the_request_chooses_then_its_tools_then_the_operator(
    tools: ClientTools | None, asked: Mode | None, default: Mode | None, expected: Mode
) -> None:
    assert mode_of(tools, asked, default, ignore_tools=False) == expected


def test_no_tool_of_a_client_is_left_out_unless_the_operator_wants_it() -> None:
    with pytest.raises(BadParameter) as refused:
        mode_of(ONE, "agent", None, ignore_tools=False)
    assert refused.value.param == "claude.mode"
    assert mode_of(ONE, "agent", None, ignore_tools=True) == "agent"
    assert mode_of(ONE, None, "model", ignore_tools=True) == "agent"
    assert mode_of(ONE, "model", None, ignore_tools=True) == "model"
    assert mode_of(NONE, None, None, ignore_tools=True) == "model"
