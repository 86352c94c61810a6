"""The supervisor, the process that starts and watches one run of the CLI."""
