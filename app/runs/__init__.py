"""Runs, the processes of the CLI: how each is started, watched and ended."""
