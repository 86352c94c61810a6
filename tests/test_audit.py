"""One line of the audit log for each deed."""

from collections.abc import Callable

from tests.support.gateway import Gateway, eventually
from tests.support.two_users import ALICE, BOB, KEYS, by, chat


def audit(gateway: Gateway) -> list[str]:
    """The audit lines of the log, without their heads."""
    return [
        line.partition(" audit: ")[2] for line in gateway.log().splitlines() if " audit: " in line
    ]


def test_each_deed_is_one_audit_line(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(API_KEYS=KEYS, LOG_LEVEL="ERROR")
    streams = [chat(gateway, ALICE, "silent the-secret") for _ in range(3)]
    jobs = [stream.job_id for stream in streams]
    gateway.ask("DELETE", f"/chat/{jobs[0]}")
    gateway.ask("POST", f"/jobs/{jobs[1]}/interrupt", **by(ALICE))
    gateway.ask("DELETE", f"/chat/{jobs[1]}", **by(BOB))
    streams[1].done()
    gateway.close_streams()
    eventually(lambda: len(audit(gateway)) == 3, gateway.log)
    assert gateway.ask("GET", "/jobs", **by("a-wrong-key")).status_code == 401
    assert gateway.ask("GET", "/jobs", auth=("admin", "the-secret")).status_code == 401
    assert gateway.ask("GET", "/jobs", auth=("the-secret", "x")).status_code == 401
    assert gateway.ask("GET", "/jobs", auth=None).status_code == 401
    assert audit(gateway) == [
        f"job {jobs[0]} is cancelled: requested by admin",
        f"job {jobs[1]} is interrupted: requested by alice",
        f"job {jobs[2]} is cancelled: its client went away",
        "a login from 127.0.0.1 was refused: a key that is not in API_KEYS",
        "a login from 127.0.0.1 was refused: a wrong password of admin",
        "a login from 127.0.0.1 was refused: an unknown user name",
    ]
    assert "the-secret" not in gateway.log()
