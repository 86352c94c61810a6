"""What install.sh runs of the gateway's code, as the service's user: one question a module.

Each prints its answer, one value a line; or one line about what is wrong, with exit status 1.
Those that do not import `app.settings` need only the standard library: a dry run has no venv/.
"""
