#!/usr/bin/env bash
# A streamed chat completion in a folder, with two tools, that also shows what the tools do.
# Needs OPENAI_BASE_URL and OPENAI_API_KEY in the environment.
set -euo pipefail

curl -fsSN -H "Authorization: Bearer $OPENAI_API_KEY" -H 'Content-Type: application/json' \
    -H 'X-Claude-Cwd: /tmp' -H 'X-Claude-Tools: Bash, Read' -H 'X-Claude-Events: true' \
    -d '{"model": "sonnet", "stream": true, "messages": [{"role": "user", "content": "Which files are here?"}]}' \
    "$OPENAI_BASE_URL/chat/completions"
