"""Which address counts as the client's, behind proxies and without."""

from collections.abc import Callable
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.client_address import client_address
from tests.support.gateway import Gateway, eventually
from tests.support.two_users import KEYS

PROXIES = [ip_network("10.0.0.0/8"), ip_network("::1/128"), ip_network("2001:db8:1::/48")]


@pytest.mark.parametrize(
    ("remote", "forwarded_for", "expected"),
    [
        ("192.0.2.9", "", "192.0.2.9"),
        ("192.0.2.9", "198.51.100.1", "192.0.2.9"),
        ("192.0.2.9", "10.0.0.1", "192.0.2.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", " 198.51.100.1 ", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1,,", "198.51.100.1"),
        ("10.0.0.1", " , ", "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6, unknown", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.7:4711", "192.0.2.7"),
        ("10.0.0.1", "[2001:db8::7]:80", "2001:db8::7"),
        ("::1", "2001:db8:2::7", "2001:db8:2::7"),
        ("2001:db8:1::5", "198.51.100.1", "198.51.100.1"),
        ("2001:DB8:1:0::5", "198.51.100.1", "198.51.100.1"),
        ("2001:db8:2::5", "198.51.100.1", "2001:db8:2::5"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:192.0.2.9", "198.51.100.1", "::ffff:192.0.2.9"),
        ("10.0.0.1", "198.51.100.1, ::ffff:10.0.0.2", "198.51.100.1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_the_address_is_the_last_that_a_proxy_of_ours_has_seen(
    remote: str, forwarded_for: str, expected: str
) -> None:
    assert client_address(remote, forwarded_for, PROXIES) == expected


def test_without_proxies_the_header_is_not_believed() -> None:
    assert client_address("10.0.0.1", "198.51.100.1", []) == "10.0.0.1"


@given(st.lists(st.ip_addresses().map(str)), st.ip_addresses(v=4, network="198.51.100.0/24"))
def test_what_a_client_writes_before_its_own_address_changes_nothing(
    spoofed: list[str], own: object
) -> None:
    header = ", ".join([*spoofed, str(own)])
    assert client_address("10.0.0.1", header, PROXIES) == str(own)


@pytest.mark.parametrize("proxies", ["*", "10.0.0.1, 0.0.0.0/1"])
def test_trust_in_every_forwarded_address_is_warned_of(
    start_gateway: Callable[..., Gateway], proxies: str
) -> None:
    gateway = start_gateway(FORWARDED_ALLOW_IPS=proxies)
    eventually(lambda: " WARNING " in gateway.log())
    eventually(lambda: "FORWARDED_ALLOW_IPS lets every client" in gateway.log())


def test_who_names_its_own_address_to_a_proxy_has_a_limit_all_the_same(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(
        FORWARDED_ALLOW_IPS="127.0.0.1", AUTH_MAX_FAILURES="1", API_KEYS=KEYS, WORKERS="1"
    )

    def status(password: str, address: str) -> int:
        # As a proxy on this machine passes on what a client on this machine sends.
        sent = {"X-Forwarded-For": f"{address}, 127.0.0.1"}
        return gateway.ask(
            "GET", "/processes", auth=("admin", password.encode()), headers=sent
        ).status_code

    right = gateway.environment["AUTH_PASSWORD"]
    assert status(right, "192.0.2.1") == 200
    assert {status("wrong", f"198.18.0.{number}") for number in range(100)} == {401}
    assert status("wrong", "198.18.1.1") == status(right, "198.18.1.2") == 429
    assert status(right, "192.0.2.1") == 200
