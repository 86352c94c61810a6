"""The command claudecode2api."""
