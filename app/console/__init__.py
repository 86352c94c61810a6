"""The console: the page in which people see, answer and start jobs, as files for a browser."""
