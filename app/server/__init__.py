"""What gunicorn's processes need: connections, standard error, systemd, reloads."""
