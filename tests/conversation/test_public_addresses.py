"""Which addresses are on the public internet."""

import pytest

from app.conversation.public_addresses import is_public

# Addresses


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1"),  # noqa: S104
        *("192.0.0.8", "192.168.1.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
        *("2001::1", "2002:7f00:1::", "fc00::1", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1"),
        *("2001:db8::1", "", "x", "0x7f.1"),
    ],
)
def test_what_is_within_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_the_public_internet_is_not(address: str) -> None:
    assert is_public(address)
