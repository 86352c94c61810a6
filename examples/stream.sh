#!/usr/bin/env bash
# Show a job's events as they come.
# Needs GATEWAY, AUTH_USER and AUTH_PASSWORD in the environment.
set -euo pipefail

curl --fail-with-body -sS -N -u "$AUTH_USER:$AUTH_PASSWORD" -H 'Content-Type: application/json' \
    -d '{"prompt": "Which files are here?", "cwd": "/tmp"}' "$GATEWAY/chat"
