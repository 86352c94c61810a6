"""Anthropic's API, under `/v1`."""
