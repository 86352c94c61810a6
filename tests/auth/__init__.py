"""Who is let in: passwords, keys, users, throttling."""
