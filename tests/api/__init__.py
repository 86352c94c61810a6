"""The routes of the API: chat, jobs, health, metrics."""
