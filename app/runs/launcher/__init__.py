"""The launcher, the process that decides when each job starts, with its client."""
