"""The dialog at a terminal in which the user answers a question of a job."""

from collections.abc import Callable
from typing import Any

from app.tool.printable import escaped
from app.tool.question import Inquiry, Question
from app.tool.terminal import Terminal

#: What the model reads if the user gives no answer to its own question.
DECLINED = "The user has declined to answer"


class Dialog:
    """Asks one question at the terminal, as long as `is_open`."""

    def __init__(self, terminal: Terminal, question: Question, is_open: Callable[[], bool]) -> None:
        self._terminal = terminal
        self._question = question
        self._is_open = is_open

    def ask(self) -> dict[str, Any]:
        """The user's answer, as the gateway takes it. Raises Withdrawn, and Failure."""
        # What was entered before the question was seen is no answer to it.
        self._terminal.discard_input()
        if self._question.inquiries:
            return self._ask_inquiries()
        self._terminal.write(f"\n{_head(self._question)}\n{self._question.text(whole=False)}")
        return self._ask_permission()

    def _ask_permission(self) -> dict[str, Any]:
        is_plan, rules = self._question.kind == "plan", self._question.rules
        choices = {"y": "approve the plan" if is_plan else "allow this once"}
        if rules:
            choices["a"] = f"allow until the run ends: {escaped(', '.join(rules))}"
        choices["n"] = "reject the plan" if is_plan else "deny this"
        if self._question.is_long:
            choices["v"] = "view all of it"
        while True:
            chosen = self._choose(choices)
            if chosen == "v":
                self._terminal.write(self._question.text(whole=True))
            elif chosen == "n":
                reason = self._read("Why, or what instead? (Enter: no reason) ")
                return {"behavior": "deny", **({"message": reason} if reason else {})}
            else:
                return {"behavior": "allow", **({"remember": "run"} if chosen == "a" else {})}

    def _choose(self, choices: dict[str, str]) -> str:
        """One of the letters; at the end of the input, `n`."""
        self._terminal.write("".join(f"  {key}  {text}\n" for key, text in choices.items()))
        while True:
            entered = self._read(f"[{'/'.join(choices)}] ")
            if entered is None:
                return "n"
            if entered.lower() in choices:
                return entered.lower()

    def _ask_inquiries(self) -> dict[str, Any]:
        """The answers to the model's own questions; the first that is declined declines all."""
        answers = {}
        for inquiry in self._question.inquiries:
            answer = self._ask_inquiry(inquiry)
            if answer is None:
                return {"behavior": "deny", "message": DECLINED}
            answers[inquiry.text] = answer
        return {"behavior": "allow", "answers": answers}

    def _ask_inquiry(self, inquiry: Inquiry) -> str | None:
        self._terminal.write(f"\n{_inquiry_text(inquiry)}")
        several = ", or several like 1,2" if inquiry.takes_several else ""
        how = f"A number{several}, or another answer" if inquiry.choices else "Your answer"
        while entered := self._read(f"{how} (Enter: decline) "):
            answer = chosen_answer(inquiry, entered)
            if answer is not None:
                return answer
            self._terminal.write(f"there are {len(inquiry.choices)} choices\n")
        return None

    def _read(self, prompt: str) -> str | None:
        return self._terminal.read_line(prompt, self._is_open)


def chosen_answer(inquiry: Inquiry, entered: str) -> str | None:
    """The answer that the user has entered: choices by their numbers, or any other text.

    None if there is no choice of this number.
    """
    numbers = entered.replace(",", " ").split() if inquiry.takes_several else [entered]
    if not inquiry.choices or not numbers or not all(map(_is_number, numbers)):
        return entered
    if not all(1 <= int(each) <= len(inquiry.choices) for each in numbers):
        return None
    return ", ".join(inquiry.choices[int(each) - 1].label for each in numbers)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _head(question: Question) -> str:
    if question.kind == "plan":
        return "Claude asks to carry out this plan:"
    head = f"Claude asks to use {_in_line(question.tool)}"
    if question.description and question.description not in question.input.values():
        head += f": {_in_line(question.description)}"
    return head


def _inquiry_text(inquiry: Inquiry) -> str:
    text = f"Claude asks: {_in_line(inquiry.text)}\n"
    for number, choice in enumerate(inquiry.choices, 1):
        about = f": {_in_line(choice.description)}" if choice.description else ""
        text += f"  {number}  {_in_line(choice.label)}{about}\n"
    return text


def _in_line(text: str) -> str:
    return escaped(" ".join(text.split()))
