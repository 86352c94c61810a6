"""The parts of gunicorn's processes: the worker, its connections, standard error, systemd."""
