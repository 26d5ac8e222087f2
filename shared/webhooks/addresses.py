"""Decide which addresses a webhook may be sent to, and resolve a receiver's name to them.

The name is resolved once and the connection goes to one of these addresses, so a name that resolves differently a
moment later (DNS rebinding) gains nothing. `ipaddress.is_global` is no such rule: it is true for addresses that a
translator forwards to the instance metadata service (64:ff9b::a9fe:a9fe).
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
"""An IP address."""

Resolver = Callable[[str, int], Sequence[str]]
"""Return the addresses of a host name; the number is the port. Raises OSError if there are none."""

REFUSED_IPV4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared address space
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's own services
        "169.254.0.0/16",  # link-local, with the instance metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
"""IPv4 networks that no webhook is sent to (IANA's special-purpose registry, and what clouds use besides)."""

ALLOWED_IPV6 = IPv6Network("2000::/3")
"""The IPv6 addresses that are assigned to the public. All others are refused."""

REFUSED_IPV6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, with Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which contains an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
"""The networks within ALLOWED_IPV6 that no webhook is sent to."""


class AddressRefused(Exception):
    """The receiver's name resolves to an address that no webhook is sent to."""


def is_refused(address: Address) -> bool:
    """Return whether no webhook is sent to this address."""
    if isinstance(address, IPv4Address):
        return any(address in network for network in REFUSED_IPV4)
    return address not in ALLOWED_IPV6 or any(address in network for network in REFUSED_IPV6)


def resolve(host: str, port: int) -> Sequence[str]:
    """Return the IPv4 addresses of the host, each once, in the resolver's order. Raises OSError if there are none."""
    found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def checked_addresses(
    host: str, port: int, *, seconds: float, resolver: Resolver = resolve, loopback: bool = False
) -> Sequence[Address]:
    """Resolve the host once, within this number of seconds, and return its addresses.

    With `loopback`, which only the local stack has, an address of this machine is allowed.

    Raises:
        AddressRefused: at least one of the addresses is refused.
        TimeoutError: the resolver took longer.
        OSError: the host has no address.
    """
    addresses = [ip_address(text) for text in _in_time(lambda: resolver(host, port), seconds)]
    if not addresses:
        raise OSError("the host has no address")
    if any(is_refused(address) and not (loopback and address.is_loopback) for address in addresses):
        raise AddressRefused("the host resolves to an address that webhooks are not sent to")
    return addresses


def _in_time(call: Callable[[], Sequence[str]], seconds: float) -> Sequence[str]:
    """Return what the call returns. It runs in a separate thread, because `getaddrinfo` has no time limit.

    Raises TimeoutError if the call takes longer. Its thread then ends by itself, when the system's resolver gives up.
    """
    returned: list[Sequence[str]] = []
    raised: list[Exception] = []

    def run() -> None:
        try:
            returned.append(call())
        except Exception as error:  # noqa: BLE001 - raised below, in the caller's thread
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True, name="resolver")
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not returned:
        raise TimeoutError("the name server did not answer in time")
    return returned[0]
