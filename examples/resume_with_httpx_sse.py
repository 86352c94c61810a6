"""Start a job, and read its stream to the end, however often the connection breaks.

Needs httpx-sse, and GATEWAY, AUTH_USER and AUTH_PASSWORD in the environment.
"""

import json
import os
import sys
import time

import httpx
from httpx_sse import connect_sse

# Silence is normal: no limit for reading.
client = httpx.Client(
    base_url=os.environ["GATEWAY"],
    auth=(os.environ["AUTH_USER"], os.environ["AUTH_PASSWORD"]),
    timeout=httpx.Timeout(10, read=None),
)

started = client.post(
    "/chat",
    json={"prompt": "Which files are here?", "cwd": "/tmp"},
    headers={"Prefer": "respond-async"},
)
started.raise_for_status()
last_id = None
while True:
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    try:
        with connect_sse(client, "GET", started.headers["Location"], headers=headers) as source:
            source.response.raise_for_status()
            for event in source.iter_sse():
                if event.event == "done":
                    print(event.data)
                    sys.exit(0 if json.loads(event.data)["status"] == "succeeded" else 1)
                if event.event == "message":
                    last_id = event.id
                    print(event.data, flush=True)
    except httpx.TransportError:
        pass  # The gateway reloads, or the network failed.
    time.sleep(1)
