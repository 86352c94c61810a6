"""Which addresses tests let the gateway fetch from."""


def is_loopback(address: str) -> bool:
    """Whom these tests allow, in place of the public internet."""
    return address in ("127.0.0.1", "::1")
