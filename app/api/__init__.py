"""Our own API, one file for each path."""
