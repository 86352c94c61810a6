"""A fake CLI: it does what its prompt says, one verb a line, and ends with exit code 0.

If its environment announces a host that reads session states, it stays (`talking_claude.py`).
Run with the interpreter's isolated mode, from the wrapper that `tests.support.gateway` writes.
Each job starts it, so a verb imports for itself what takes time to import.
"""

import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable


def line(text: str) -> None:
    """Print a line as it is."""
    raw(f"{text}\n".encode().hex())


def raw(text: str) -> None:
    """Write bytes, given as hexadecimal digits."""
    content = bytes.fromhex(text)
    while content:
        content = content[os.write(1, content) :]


def system(session: str) -> None:
    """Print the line that names the session."""
    line(json.dumps({"type": "system", "subtype": "init", "session_id": session}))


def result(kind: str) -> None:
    """Print a result line: `ok` or `error`."""
    fields = {"subtype": kind, "is_error": kind != "ok", "total_cost_usd": 0.25, "duration_ms": 7}
    line(json.dumps({**fields, "session_id": "session-of-result", "type": "result"}))


def arguments(_: str) -> None:
    """Print the arguments, the working directory, and what the files named in them hold."""
    from pathlib import Path

    files = {}
    for argument in sys.argv[1:]:
        flag, _, value = argument.partition("=")
        if "/runs/" in value:
            files[flag] = Path(value).read_text(encoding="utf-8")
    line(json.dumps({"argv": sys.argv[1:], "cwd": str(Path.cwd()), "files": files}))


def environment(_: str) -> None:
    """Print the environment."""
    line(json.dumps(dict(os.environ)))


def big(size: str) -> None:
    """Print one line of so many bytes."""
    part(size)
    raw("0a")


def part(size: str) -> None:
    """Write so many bytes of a line, which goes on."""
    block = b"x" * (1 << 20)
    left = int(size)
    while left:
        left -= os.write(1, block[:left])


def lines(count: str) -> None:
    """Print so many numbered lines."""
    for start in range(0, int(count), 1000):
        block = "".join(f"line {n}\n" for n in range(start, min(start + 1000, int(count))))
        raw(block.encode().hex())


def repeat(text: str) -> None:
    """Print one line so many times."""
    count, _, one = text.partition(" ")
    for start in range(0, int(count), 1000):
        raw((f"{one}\n" * min(1000, int(count) - start)).encode().hex())


def chatter(text: str) -> None:
    """Print so many lines with so many seconds before each."""
    count, seconds = text.split()
    for number in range(int(count)):
        time.sleep(float(seconds))
        line(f"line {number}")


def babble(text: str) -> None:
    """Print numbered lines, with so many seconds after each, until there is such a file."""
    from pathlib import Path

    seconds, path = text.split(maxsplit=1)
    for number in itertools.count():
        if Path(path).exists():
            return
        line(f"line {number}")
        time.sleep(float(seconds))


def complain(text: str) -> None:
    """Write to standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def await_file(path: str) -> None:
    """Wait until there is such a file."""
    from pathlib import Path

    while not Path(path).exists():
        time.sleep(0.01)


def silent(_: str) -> None:
    """Say nothing until ended."""
    while True:
        signal.pause()


def deaf(_: str) -> None:
    """From now on ignore SIGINT and SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def polite(_: str) -> None:
    """From now on answer SIGINT as the CLI does: a last result line, exit code 0."""

    def leave(*_: object) -> None:
        result("ok")
        os._exit(0)

    signal.signal(signal.SIGINT, leave)


def child(kind: str) -> None:
    """Start a process that does nothing, in this way, and print its pid."""
    import shutil
    import subprocess

    program = "import signal, time\n"
    if "deaf" in kind:
        program += "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        program += "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    program += "print(__import__('os').getpid(), flush=True)\ntime.sleep(1000)\n"
    command = [sys.executable, "-I", "-S", "-c", program]
    if "daemon" in kind:
        command = [shutil.which("setsid") or "setsid", "-f", *command]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        start_new_session="session" in kind,
        env={} if "unmarked" in kind else None,
    )
    assert process.stdout is not None
    line(json.dumps({"child": int(process.stdout.readline())}))


def hopper(_: str) -> None:
    """Leave behind a program that forks and exits, again and again, and ignores SIGTERM."""
    import subprocess

    program = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("hopping", flush=True)
os.setpgid(0, 0)
while True:
    if os.fork():
        os._exit(0)
    time.sleep(0.0003)
"""
    subprocess.Popen([sys.executable, "-I", "-S", "-c", program])


def descriptors(_: str) -> None:
    """Print which files are open, but for the folder that lists them."""
    from pathlib import Path

    found = {}
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - the numbers alone
        try:
            found[name] = str(Path(f"/proc/self/fd/{name}").readlink())
        except FileNotFoundError:
            # It was the one by which they were listed.
            continue
    line(json.dumps(found))


def heir(_: str) -> None:
    """Start a process that holds our standard output open after we are gone."""
    import subprocess

    subprocess.Popen(["sleep", "1000"])


def forget(_: str) -> None:
    """Remove our own output, as a job can."""
    from pathlib import Path

    Path("/proc/self/fd/1").readlink().unlink()


def seal(_: str) -> None:
    """Do to our own output what the supervisor does at the end."""
    os.fchmod(1, 0o400)


def shell(command: str) -> None:
    """Run a command; print what it prints, and a line with its exit code."""
    import subprocess

    done = subprocess.run(["sh", "-c", command], stderr=subprocess.STDOUT)
    line(f"exit {done.returncode}")


def leave(code: str) -> None:
    """End now with this exit code."""
    os._exit(int(code))


def die(number: str) -> None:
    """End by this signal."""
    os.kill(os.getpid(), int(number))
    time.sleep(10)


def cost(_: str) -> None:
    """Answer a question that the CLI needs no model for."""
    result("ok")


def say(text: str) -> None:
    """Print the line of an answer with this text, in which \\ begins an escape of JSON's."""
    block = {"type": "text", "text": json.loads(f'"{text}"')}
    line(json.dumps({"type": "assistant", "message": {"content": [block]}}))


VERBS: dict[str, Callable[[str], None]] = {
    "/cost": cost,
    "arguments": arguments,
    "await": await_file,
    "babble": babble,
    "big": big,
    "chatter": chatter,
    "repeat": repeat,
    "child": child,
    "complain": complain,
    "deaf": deaf,
    "descriptors": descriptors,
    "die": die,
    "environment": environment,
    "exit": leave,
    "forget": forget,
    "heir": heir,
    "hopper": hopper,
    "line": line,
    "lines": lines,
    "part": part,
    "polite": polite,
    "raw": raw,
    "result": result,
    "say": say,
    "seal": seal,
    "shell": shell,
    "silent": silent,
    "system": system,
}


def main() -> None:
    """Answer `--version` and `auth status`, or read one message and obey it."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write("9.9.9 (Fake Code)\n")
        return
    if sys.argv[1:] == ["auth", "status"]:
        sys.stdout.write('{"loggedIn": true, "authMethod": "fake"}\n')
        return
    if "CLAUDE_CODE_SDK_READS_SESSION_STATE" in os.environ:
        # The isolated mode leaves out the program's folder.
        sys.path.insert(0, __file__.rpartition("/")[0])
        from talking_claude import Talk

        Talk(VERBS).serve()
    content = json.loads(sys.stdin.readline())["message"]["content"]
    if isinstance(content, list):
        content = "\n".join(block["text"] for block in content if block["type"] == "text")
    for order in content.split("\n"):
        verb, _, rest = order.partition(" ")
        if verb:
            VERBS.get(verb, lambda _: None)(rest)


if __name__ == "__main__":
    main()
