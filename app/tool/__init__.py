"""The command `claudecode2api`: a client of the gateway for a terminal, and its operator's aid."""
