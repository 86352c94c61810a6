"""What one request of the OpenAI API may cost the other clients."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from app.conversation.prompt import compose
from app.openai.chat_messages import Message
from tests.support.completions import ANSWER, BEGIN, ask
from tests.support.gateway import Gateway

pytestmark = pytest.mark.alone


@contextmanager
def slowest_health(gateway: Gateway) -> Iterator[Callable[[], float]]:
    """Requests /health all the time; returns the duration of the slowest response."""
    slowest, over = [0.0], threading.Event()

    def look() -> None:
        while not over.is_set():
            asked = time.monotonic()
            gateway.ask("GET", "/health", auth=None)
            slowest[0] = max(slowest[0], time.monotonic() - asked)
            time.sleep(0.02)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield lambda: slowest[0]
    finally:
        over.set()
        thread.join()


def test_no_text_makes_the_search_for_a_tag_long() -> None:
    text = " ".join(f"</message-{number}" for number in range(2, 40_000))
    message = Message.model_validate({"role": "user", "content": f"</message {text}"}).neutral()
    began = time.process_time()
    compose([], [message], {})
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("kind", ["messages", "escapes"])
def test_a_large_body_lets_others_be_served(
    start_gateway: Callable[..., Gateway], kind: str
) -> None:
    gateway = start_gateway(WORKERS="1")
    if kind == "messages":
        messages = b",".join([b'{"role":"user"}'] * 500_000)
    else:
        url = b"data:image/png," + b"%41" * 3_000_000
        messages = (
            b'{"role":"user","content":[{"type":"image_url","image_url":{"url":"%b"}}]}' % url
        )
    with slowest_health(gateway) as slowest:
        gateway.ask(
            "POST",
            "/v1/chat/completions",
            data=b'{"messages":[%b]}' % messages,
            headers={"Content-Type": "application/json"},
            timeout=60,
        )
    assert slowest() < 1.0


@pytest.mark.parametrize("headers", [{}, {"X-Claude-Events": "true"}])
@pytest.mark.parametrize("lines", ["repeat 1000000 {}", "big 100000000"])
def test_many_lines_and_a_long_one_let_others_be_served(
    start_gateway: Callable[..., Gateway], headers: dict[str, str], lines: str
) -> None:
    gateway = start_gateway(WORKERS="1")
    with slowest_health(gateway) as slowest:
        answer = ask(gateway, BEGIN, lines, ANSWER, stream=True, stream_body=True, headers=headers)
        last = b""
        for chunk in answer.iter_content(1 << 20):
            last = (last + chunk)[-100:]
    assert last.endswith(b"data: [DONE]\n\n")
    assert slowest() < 1.0
