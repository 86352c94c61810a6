"""The gateway that turns the Claude Code CLI into an HTTP service.

`app.application` joins its parts. Nothing is imported here: the launcher and the supervisors need
only the standard library.
"""
