"""The addresses that webhooks are sent to, held to two foreign libraries for the same purpose."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from AntiSSRF.antissrf_policy import AntiSSRFPolicy, PolicyConfigOptions
from AntiSSRF.ipaddress_ranges import IPAddressRanges
from ssrfguard import Policy
from ssrfguard._registry import TABLE

from shared.webhooks.addresses import (
    ALLOWED_IPV6,
    REFUSED_IPV4,
    REFUSED_IPV6,
    Address,
    AddressRefused,
    checked_addresses,
    is_refused,
)

RANDOM_ADDRESSES = 60_000


def edges(networks: Sequence[IPv4Network | IPv6Network]) -> Iterator[Address]:
    """Yield the first and the last address of each network, and the addresses beside it and in its middle."""
    for network in networks:
        first, last = int(network[0]), int(network[-1])
        most = 2**network.max_prefixlen - 1
        kind = IPv4Address if network.version == 4 else IPv6Address
        for number in (first - 1, first, first + 1, (first + last) // 2, last - 1, last, last + 1):
            if 0 <= number <= most:
                yield kind(number)


def random_addresses() -> Iterator[Address]:
    """Yield addresses of the whole space of each version, and IPv4 addresses within IPv6 networks that carry them."""
    choose = random.Random(18)
    carriers = [int(IPv6Address(each)) for each in ("::", "::ffff:0:0", "64:ff9b::", "64:ff9b:1::", "2001::")]
    for _ in range(RANDOM_ADDRESSES // 4):
        number = choose.getrandbits(32)
        yield IPv4Address(number)
        yield IPv6Address(choose.getrandbits(128))
        yield IPv6Address((0b001 << 125) | choose.getrandbits(125))
        yield IPv6Address(choose.choice([*carriers, (0x2002 << 112) | (number << 80)]) | number)


def all_addresses() -> list[Address]:
    microsofts = [
        network for name in vars(IPAddressRanges) if name[0] != "_" for network in getattr(IPAddressRanges, name)
    ]
    theirs = [ip_network(each) for each in {*microsofts, *(str(block.network) for block in TABLE)}]
    return [*edges([*theirs, *REFUSED_IPV4, *REFUSED_IPV6, ALLOWED_IPV6]), *random_addresses()]


def test_every_address_that_a_foreign_guard_refuses_is_refused() -> None:
    microsoft = AntiSSRFPolicy(PolicyConfigOptions.EXTERNAL_ONLY_LATEST)
    ssrfguard = Policy()
    checked = allowed = 0
    wrong = []
    for address in all_addresses():
        checked += 1
        if is_refused(address):
            continue
        allowed += 1
        if not microsoft._is_str_ip_address_connection_allowed(str(address)) or not ssrfguard.permits_address(address):
            wrong.append(address)
    assert wrong == []
    assert checked > RANDOM_ADDRESSES
    assert allowed > RANDOM_ADDRESSES // 3  # not simply all are refused


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "10.1.2.3",
        "100.100.100.200",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "fd00:ec2::254",
        "fe80::1",
    ],
)
def test_inner_addresses_are_refused_in_every_form(text: str) -> None:
    assert is_refused(ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450::1"])
def test_public_addresses_are_allowed(text: str) -> None:
    assert not is_refused(ip_address(text))


def test_a_name_is_refused_if_only_one_of_its_addresses_is() -> None:
    with pytest.raises(AddressRefused):
        checked_addresses("hook.example", 443, seconds=1000, resolver=lambda *_: ["8.8.8.8", "10.0.0.1"])


def test_only_the_local_stack_allows_loopback_and_nothing_else_of_the_inside() -> None:
    def at(text: str) -> Sequence[Address]:
        return checked_addresses("hook.example", 443, seconds=1000, resolver=lambda *_: [text], loopback=True)

    assert at("127.0.0.1") == [ip_address("127.0.0.1")]
    with pytest.raises(AddressRefused):
        at("169.254.169.254")


def test_a_host_without_addresses_is_an_error() -> None:
    with pytest.raises(OSError, match="no address"):
        checked_addresses("hook.example", 443, seconds=1000, resolver=lambda *_: [])


def test_a_resolver_that_hangs_is_left_after_the_time() -> None:
    never = threading.Event()

    def hanging(*_: object) -> list[str]:
        never.wait()
        return []

    try:
        with pytest.raises(TimeoutError):
            checked_addresses("hook.example", 443, seconds=0.01, resolver=hanging)
    finally:
        never.set()
