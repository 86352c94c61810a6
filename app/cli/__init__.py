"""The Claude Code CLI as a program: where it is, its flags and input, and what it prints."""
