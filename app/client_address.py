"""The IP address of a client, behind proxies too. Pure."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address


def client_address(
    remote: str, forwarded_for: str, proxies: Sequence[IPv4Network | IPv6Network]
) -> str:
    """The client's address: the last one in `X-Forwarded-For` that is not a trusted proxy's.

    Only what a trusted proxy wrote into the header counts.

    >>> from ipaddress import ip_network
    >>> client_address("10.0.0.1", "6.6.6.6, 192.0.2.7", [ip_network("10.0.0.0/8")])
    '192.0.2.7'
    >>> client_address("192.0.2.9", "192.0.2.7", [ip_network("10.0.0.0/8")])
    '192.0.2.9'
    """
    address = remote
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    while hops and is_proxy(address, proxies):
        hop = _without_port(hops.pop())
        if hop is None:
            break
        address = hop
    return address


def network_of(address: str) -> str:
    """The network that counts as one client: an IPv4 address, or the /64 of an IPv6 address.

    >>> network_of("2001:db8::1") == network_of("2001:db8::2")
    True
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)


def _without_port(hop: str) -> str | None:
    """The address in an entry of the header, to which some proxies add a port, or None.

    >>> _without_port("192.0.2.7:4711"), _without_port("[2001:db8::1]:80"), _without_port("x")
    ('192.0.2.7', '2001:db8::1', None)
    """
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        return str(ip_address(hop))
    except ValueError:
        return None


def is_proxy(address: str, proxies: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Whether an address is one of the trusted proxies.

    >>> from ipaddress import ip_network
    >>> is_proxy("::ffff:10.0.0.1", [ip_network("10.0.0.0/8")])
    True
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(mapped in network for network in proxies)
