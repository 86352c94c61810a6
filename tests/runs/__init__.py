"""Runs of the CLI: the queue, limits, ends, crashes."""
