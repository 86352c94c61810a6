"""`claudecode2api usage`."""

import json
import re
from datetime import UTC, datetime, timedelta

from tests.support.gateway import Gateway
from tests.support.tool import Tool
from tests.support.usage_lines import usage_line, write_lines


def test_what_jobs_have_used_is_shown(gateway: Gateway, tool: Tool) -> None:
    # No other test has jobs that long ago.
    day = (datetime.now(UTC).date() - timedelta(days=200)).isoformat()
    period = ("--from", day, "--to", day)
    done = tool.run("usage", *period)
    assert (done.stdout, done.stderr.decode()) == (b"", f"no job has ended from {day} to {day}\n")
    starts = [{"start": "cold", "first_line": 3000}, {"start": "spare", "first_line": 1000}]
    lines = [usage_line(day, model="opus\x1b", cost=1_500_000_000, **start) for start in starts]
    lines.append(usage_line(day, model="", status="failed", user="key-7"))
    write_lines(gateway.state, day[:7], *lines)
    done = tool.run("usage", *period, "--by", "model")
    head, *rows = [re.split("  +", row) for row in done.stdout.decode().splitlines()]
    assert head[:4] == ["MODEL", "JOBS", "FAILED", "COST"]
    assert [len(row) for row in rows] == [len(head)] * 3
    assert rows[0][:4] == ["-", "1", "1", "$0.00"]
    assert rows[1] == ["opus\ufffd", "2", "0", "$3.00", "6", "10", "14", "22", "0:00:04"]
    assert rows[2][:4] == ["TOTAL", "3", "1", "$3.00"]
    saved = f"kept processes and spares have saved 0:00:02 from {day} to {day}\n"
    assert done.stderr.decode() == saved
    report = json.loads(tool.run("usage", *period, "--user", "key-7", "--json").stdout)
    assert report["total"]["jobs"] == 1


def test_a_bad_day_is_named(tool: Tool) -> None:
    done = tool.run("usage", "--from", "yesterday")
    assert done.returncode == 1
    assert "from: Must be a date such as 2026-11-26, and is 'yesterday'" in done.stderr.decode()
