"""gunicorn's processes: start, reload, stop, connections, load."""
