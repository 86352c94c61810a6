#!/usr/bin/env bash
# Print only the text of Claude's messages, as they come.
# Needs jq, and GATEWAY, AUTH_USER and AUTH_PASSWORD in the environment.
set -euo pipefail

curl -fsSN -u "$AUTH_USER:$AUTH_PASSWORD" -H 'Content-Type: application/json' \
    -H 'Accept: application/x-ndjson' \
    -d '{"prompt": "Which files are here?", "cwd": "/tmp"}' "$GATEWAY/chat" |
    jq --unbuffered -r 'select(.type == "assistant") | .message.content[] | select(.type == "text").text'
