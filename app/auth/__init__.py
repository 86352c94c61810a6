"""Authentication: users, their API keys, and the check of credentials."""
