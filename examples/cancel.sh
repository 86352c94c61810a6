#!/usr/bin/env bash
# Start a job, list the jobs that run, and cancel it.
# Needs GATEWAY, AUTH_USER and AUTH_PASSWORD in the environment.
set -euo pipefail

answer=$(curl -fsS -u "$AUTH_USER:$AUTH_PASSWORD" -H 'Content-Type: application/json' \
    -H 'Prefer: respond-async' \
    -d '{"prompt": "Write a long story.", "cwd": "/tmp"}' "$GATEWAY/chat")
job=${answer#*'"process_id":"'}
job=${job%%'"'*}
curl -fsS -u "$AUTH_USER:$AUTH_PASSWORD" "$GATEWAY/processes"
# If the job has ended already, the answer is a 404 (process_not_found).
curl -sS -u "$AUTH_USER:$AUTH_PASSWORD" -X DELETE "$GATEWAY/chat/$job"
