#!/usr/bin/env bash
# Read a job's events to the last one. The exit status is 1 if the job did not succeed.
# Needs GATEWAY, AUTH_USER and AUTH_PASSWORD in the environment.
set -euo pipefail

curl -fsSN -u "$AUTH_USER:$AUTH_PASSWORD" -H 'Content-Type: application/json' \
    -d '{"prompt": "Which files are here?", "cwd": "/tmp"}' "$GATEWAY/chat" |
    while IFS= read -r line; do
        case $line in
            'event: '*) event=${line#event: } ;;
            'data: '*)
                printf '%s\n' "$event: ${line#data: }"
                if [[ $event == "done" ]]; then
                    [[ $line == *'"status":"succeeded"'* ]]
                    exit
                fi
                ;;
        esac
    done
