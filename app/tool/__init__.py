"""The command `claudecode2api`: a client for a terminal, and tools for the operator."""
