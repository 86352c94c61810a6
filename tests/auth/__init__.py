"""Authentication: passwords, keys, users, throttling."""
