"""Running the CLI: a job is a directory, and everything else reads it."""
