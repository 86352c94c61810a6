"""Who uses the gateway: users, their keys, and the check of credentials."""
