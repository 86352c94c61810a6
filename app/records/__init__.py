"""What is written of jobs and runs below STATE_DIR."""
