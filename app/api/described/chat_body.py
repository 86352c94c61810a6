"""The request of `POST /chat`: its body in either form, and the query beside a text body."""

from app.cli.request import ChatRequest
from app.openapi.describe import Body, Text, query_of

#: JSON, or the prompt as text.
BODY = Body(
    {
        "application/json": ChatRequest,
        "text/plain": Text(
            "The prompt in UTF-8. The other fields are in the query.",
            "Which files are here?",
        ),
    },
    {
        "a question": {"prompt": "Which files are here?", "cwd": "/tmp"},  # noqa: S108
        "a restricted job that continues without its client": {
            "prompt": "Fix the failing test.",
            "cwd": "/home/me/project",
            "allowed_tools": ["Read", "Edit", "Bash(pytest:*)"],
            "detach": True,
            "timeout": 600,
        },
    },
)
#: The other fields, if the body is text.
QUERY = query_of(ChatRequest, "With a text/plain body: ", leave_out=["prompt"])
