"""The CLI as a program: requests, arguments, output, and where it is installed."""
