"""Completion in shells: scripts that are generated from the parser of the command line."""
