"""The Claude Code CLI as a program: where it is, what to say to it, what it says."""
