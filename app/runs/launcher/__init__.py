"""The launcher, the process that decides which job runs when, with its client."""
