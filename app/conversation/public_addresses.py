"""The check that an IP address is on the public internet. Pure."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# Networks that Python (3.11.7) considers global and that lead elsewhere. NAT64 (RFC 6052, RFC
# 8215), 6to4 (RFC 3056) and Teredo (RFC 4380) contain IPv4 addresses, private ones included.
# 168.63.129.16 is the host of every Azure machine; 3fff::/20 is for documentation (RFC 9637).
_NOT_PUBLIC = [
    ip_network(network)
    for network in (
        "168.63.129.16/32",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "3fff::/20",
        "fec0::/10",
        "::/96",
    )
]


def is_public(text: str) -> bool:
    """Whether this IP address is on the public internet.

    >>> is_public("1.1.1.1"), is_public("127.0.0.1"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    >>> is_public("64:ff9b::a9fe:a9fe"), is_public("fe80::1%eth0"), is_public("224.0.0.1")
    (False, False, False)
    """
    try:
        address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(
        address in network for network in _NOT_PUBLIC if network.version == address.version
    )
