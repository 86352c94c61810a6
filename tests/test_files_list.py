"""The list of files in docs/files.md."""

from tests.support.files_list import PATH, render


def test_the_list_of_files_says_what_the_code_says() -> None:
    written = PATH.read_text(encoding="utf-8")
    assert written == render(), "run: venv-test/bin/python -m tests.support.files_list"
