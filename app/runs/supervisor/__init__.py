"""The process beside each run of the CLI."""
