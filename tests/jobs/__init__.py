"""Jobs: cancelling, idempotency, removal, owners."""
