"""What a job puts into the records of questions, kept runs and messages harms nothing but itself."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from app.records.inbox import Inbox
from tests.support.gateway import Gateway, eventually
from tests.support.hostile import Start
from tests.support.talk import ASK, answered, asking, send_message

#: Commands that put something at the path {0}.
PLACED = {
    "a pipe": "mkfifo {0}",
    "a folder": "mkdir -p {0}/inside",
    "a link to zeros": "ln -s /dev/zero {0}",
    "a link to nothing": "ln -s /nowhere/at/all {0}",
    "a hole": "truncate -s 1G {0}",
    "no rights": "echo '{{}}' > {0}; chmod 000 {0}",
    "broken JSON": "echo '{{\"id\": ' > {0}",
    "other JSON": "echo '{{\"id\": 5, \"state\": [], \"session\": \"x\"}}' > {0}",
    "deep JSON": "head -c 200000 /dev/zero | tr '\\\\0' '[' > {0}",
}
