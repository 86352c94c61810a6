"""The records of jobs and runs."""
