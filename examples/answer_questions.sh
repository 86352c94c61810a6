#!/usr/bin/env bash
# Start a job with "ask": true, and allow each tool that Claude wants to use.
# Needs jq, and GATEWAY, AUTH_USER and AUTH_PASSWORD in the environment. PROMPT is the prompt.
set -euo pipefail

api() {
    curl -fsS -u "$AUTH_USER:$AUTH_PASSWORD" -H 'Content-Type: application/json' "$@"
}

job=$(api -H 'Prefer: respond-async' "$GATEWAY/chat" \
    -d "$(jq -n --arg prompt "${PROMPT:-Make the file /tmp/x}" '{prompt: $prompt, cwd: "/tmp", ask: true}')" |
    jq -r .process_id)
until api "$GATEWAY/jobs/$job?wait=1" | jq -e .ended_at >/dev/null; do
    api "$GATEWAY/jobs/$job/questions" | jq -c '.questions[] | select(.kind == "tool")' |
        while IFS= read -r question; do
            jq -r '"\(.tool_name): \(.input)"' <<<"$question"
            api -d '{"behavior": "allow"}' \
                "$GATEWAY/jobs/$job/questions/$(jq -r .question_id <<<"$question")" >/dev/null
        done
done
api "$GATEWAY/jobs/$job" | jq -r .result
