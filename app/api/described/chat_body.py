"""What `POST /chat` reads, for the document."""

from app.cli.request import ChatRequest
from app.openapi.describe import Body, Text, query_of

#: The body, in either form.
BODY = Body(
    {
        "application/json": ChatRequest,
        "text/plain": Text(
            "The prompt itself, in UTF-8; the other fields are in the query.",
            "Which files are here?",
        ),
    },
    {
        "a question": {"prompt": "Which files are here?", "cwd": "/tmp"},  # noqa: S108
        "a narrow job that may go on without its client": {
            "prompt": "Fix the failing test.",
            "cwd": "/home/me/project",
            "allowed_tools": ["Read", "Edit", "Bash(pytest:*)"],
            "detach": True,
            "timeout": 600,
        },
    },
)
#: The query beside a body of text.
QUERY = query_of(ChatRequest, "With a body of text/plain: ", leave_out=["prompt"])
