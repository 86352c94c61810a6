"""A project, jobs about it in every state, and the stories that a stand-in for the model plays."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.gateway import Gateway, eventually, running_gateway
from tests.support.real_cli import without_network
from tests.support.story import Block, call, telling, text, thinking
from tests.support.talk import await_turns

CART = '''"""A shopping cart."""

from dataclasses import dataclass, field


@dataclass
class Cart:
    items: list[tuple[str, int, float]] = field(default_factory=list)

    def add(self, name: str, count: int, price: float) -> None:
        self.items.append((name, count, price))

    def total(self) -> float:
        return sum(count * price for _, count, price in self.items)
'''
TEST = """from cart import Cart


def test_the_total():
    cart = Cart()
    cart.add("tea", 2, 3.5)
    assert cart.total() == 7.0
"""
OLD = """    def total(self) -> float:
        return sum(count * price for _, count, price in self.items)
"""
NEW = """    def total(self, discount: float = 0.0) -> float:
        \"\"\"What the cart costs; `discount` is a part of it, such as 0.1.\"\"\"
        if not 0 <= discount < 1:
            raise ValueError(f"the discount is {discount}: it must be from 0 to below 1")
        full = sum(count * price for _, count, price in self.items)
        return round(full * (1 - discount), 2)
"""
REPORT = """The cart has a discount now.

- `Cart.total(discount=0.1)` takes **10 %** off; the default changes nothing.
- A discount below 0, or of 1 and more, raises `ValueError` and names the value.

| call | before | now |
|---|---|---|
| `total()` | 7.0 | 7.0 |
| `total(0.1)` | a `TypeError` | 6.3 |

The tests pass. I have not changed the page that shows the cart."""

DISCOUNT = "Add a discount to the shop's cart, with a test."
REVIEW = "Review the cart for rounding errors."
RELEASE = "Tag the release and push it."
WATCH = "Explain the cart to a newcomer, step by step."


def _stories(cart: str) -> dict[str, list[list[Block]]]:
    test = f"{Path(cart).parent}/test_cart.py"
    added = "\n\ndef test_a_discount():\n    cart = Cart()\n    cart.add('tea', 2, 3.5)\n"
    words = "\n\n".join(
        f"**Step {number}.** The cart keeps its items in a list; each has a name, a count and a"
        " price. `add` appends one, and `total` sums up what they cost."
        for number in range(1, 200)
    )
    return {
        DISCOUNT: [
            [
                thinking("The cart has no discount yet. I look at it first, then at its test."),
                text("I look at the cart and at its test."),
                call("Read", file_path=cart),
                call("Read", file_path=test),
            ],
            [
                text("`total` is the place for it. I change it, then the test."),
                call("Edit", file_path=cart, old_string=OLD, new_string=NEW),
            ],
            [call("Bash", command=f"printf %s {_quoted(added)} >>test_cart.py", description="Add")],
            [call("Bash", command="python3 -m py_compile cart.py && git status --short || true")],
            [text(REPORT)],
        ],
        REVIEW: [
            [text("I look for sums of prices."), call("Bash", command="grep -n price cart.py")],
            [call("Bash", command="grep -rn Decimal src", description="Look for decimals")],
            [text("Prices are floats: `0.1 + 0.2` is not `0.3`. Use `Decimal`, or cents.")],
        ],
        RELEASE: [
            [
                text("The tests pass, so I tag the release and push it."),
                call(
                    "Bash",
                    command="git tag -a v1.4.0 -m 'Discounts' && git push origin v1.4.0",
                    description="Tag the release and push the tag",
                ),
            ],
            [text("It is tagged.")],
        ],
        # It takes minutes: it is the job that runs, however long its pages are looked at.
        WATCH: [[text(words, pause=0.05)]],
    }


@contextmanager
def busy_gateway(folder: Path, claude: Path) -> Iterator[tuple[Gateway, dict[str, str]]]:
    """A gateway with jobs in every state, and the addresses of its console's pages by name."""
    project = folder / "home/shop"
    with telling(_stories(f"{project}/cart.py"), pause=0.01) as model:
        settings = {**without_network(model), "ANTHROPIC_API_KEY": "dummy", "SPARES": "1"}
        with running_gateway(folder, claude, MAX_JOBS="3", **settings) as gateway:
            project.mkdir()
            (project / "cart.py").write_text(CART, encoding="utf-8")
            (project / "test_cart.py").write_text(TEST, encoding="utf-8")
            await_turns(gateway)
            yield gateway, start_jobs(gateway, project)


def start_jobs(gateway: Gateway, folder: Path) -> dict[str, str]:
    """Start jobs that end, run, wait for a person and wait for a slot; returns their pages."""

    def start(prompt: str, **fields: Any) -> str:
        body = {"prompt": prompt, "cwd": str(folder), "detach": True, "model": "sonnet", **fields}
        body.setdefault("include_partial_messages", True)
        answer = gateway.ask(
            "POST", "/chat", json=body, headers={"Prefer": "respond-async"}, timeout=60
        )
        identity: str = answer.json()["process_id"]
        return identity

    def wait(identity: str) -> dict[str, Any]:
        record: dict[str, Any] = gateway.ask("GET", f"/jobs/{identity}?wait=60", timeout=90).json()
        return record

    discount = start(DISCOUNT, title="Discount in the cart", keep_alive="10m")
    session = wait(discount)["session_id"]
    review = start(REVIEW, title="Rounding errors in the cart")
    wait(review)
    wait(
        start(
            "fail: 400 invalid_request_error The image is too large",
            title="Translate the help page",
        )
    )
    wait(start("How many files are here?", session_id=session, keep_alive="10m"))
    watched = start(WATCH, title="Explain the cart", keep_alive="10m")
    release = start(RELEASE, title="Release 1.4.0", ask=True)
    eventually(lambda: gateway.ask("GET", "/questions").json()["questions"], patience=60)
    for title in ("Update the dependencies", "Write the changelog"):
        start("wait: 600", title=title)
    return {
        "sign-in": "",
        "jobs": "#/jobs",
        "job": f"#/jobs/{discount}",
        "job-running": f"#/jobs/{watched}",
        "job-failed-tool": f"#/jobs/{review}",
        "question": f"#/jobs/{release}",
        "questions": "#/questions",
        "sessions": "#/sessions",
        "session": f"#/sessions/{session}",
        "new": "#/new",
        "use": "#/use",
        "gateway": "#/gateway",
    }


def _quoted(words: str) -> str:
    return "'" + words.replace("'", "'\\''") + "'"
