"""The records of jobs and runs below STATE_DIR."""
