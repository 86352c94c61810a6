#!/usr/bin/env bash
# Run a job, then another one in the same session.
# Needs GATEWAY, AUTH_USER and AUTH_PASSWORD in the environment.
set -euo pipefail

ask() {
    curl -fsSN -u "$AUTH_USER:$AUTH_PASSWORD" -H 'Content-Type: application/json' -d "$1" "$GATEWAY/chat"
}

last=$(ask '{"prompt": "Remember the number 7.", "cwd": "/tmp"}' | grep -A 1 '^event: done$')
session=$(sed -n 's/.*"session_id":"\([^"]*\)".*/\1/p' <<<"$last")
ask '{"prompt": "Which number was it?", "cwd": "/tmp", "session_id": "'"$session"'"}'
