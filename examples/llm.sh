#!/usr/bin/env bash
# Make the gateway a model of the command llm, and ask it something.
# Needs llm (pip install llm), and OPENAI_BASE_URL and OPENAI_API_KEY in the environment.
set -euo pipefail

export LLM_USER_PATH="${LLM_USER_PATH:-$HOME/.config/io.datasette.llm}"
mkdir -p "$LLM_USER_PATH"
cat >"$LLM_USER_PATH/extra-openai-models.yaml" <<YAML
- model_id: claude-code
  model_name: sonnet
  api_key_name: gateway
  api_base: $OPENAI_BASE_URL
YAML
llm --key "$OPENAI_API_KEY" -m claude-code 'Which files are here?'
