"""Two jobs in one session, read with requests.

Needs GATEWAY, AUTH_USER and AUTH_PASSWORD in the environment.
"""

import json
import os
import sys

import requests

GATEWAY = os.environ["GATEWAY"]
# As bytes: requests would send letters that are not ASCII in another encoding than UTF-8.
AUTH = (os.environ["AUTH_USER"].encode(), os.environ["AUTH_PASSWORD"].encode())


def events(response):
    """Yield the name and the data (bytes) of each event of a stream, as it comes."""
    name, data, rest = "message", [], b""
    for chunk in response.iter_content(chunk_size=None):
        # A chunk may end anywhere, also in the middle of a line or of a letter.
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"event: "):
                name = line[7:].decode()
            elif line.startswith(b"data: "):
                data.append(line[6:])
            elif not line:
                if data:
                    yield name, b"\n".join(data)
                name, data = "message", []


def chat(**fields):
    """Run a job and print what Claude says; return what the event `done` holds."""
    with requests.post(f"{GATEWAY}/chat", auth=AUTH, json=fields, stream=True) as response:
        if response.status_code != 200:
            raise RuntimeError(f"{response.status_code} {response.text}")
        for name, data in events(response):
            if name == "done":
                return json.loads(data)
            if name == "error":
                raise RuntimeError(json.loads(data)["error"])
            try:
                line = json.loads(data)
            except ValueError:
                continue  # Not every line of the CLI's has to be JSON.
            if isinstance(line, dict) and line.get("type") == "assistant":
                for block in line["message"]["content"]:
                    if block["type"] == "text":
                        print(block["text"], flush=True)
    raise RuntimeError("the stream was cut off")


first = chat(prompt="Remember the number 7.", cwd="/tmp")
print(first["status"], first["session_id"], first["total_cost_usd"])
second = chat(prompt="Which number was it?", cwd="/tmp", session_id=first["session_id"])
print(second["status"])

running = requests.get(f"{GATEWAY}/processes", auth=AUTH).json()
print(running["count"], "jobs run now")
# To cancel one: requests.delete(f"{GATEWAY}/chat/{process_id}", auth=AUTH)

sys.exit(0 if second["status"] == "succeeded" else 1)
