"""Ports for programs that listen seconds after they have got theirs."""

from __future__ import annotations

import random

import pytest

from tests.free_port import free_port


def test_a_port_is_given_once_although_nothing_listens_on_it_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "sample", lambda ports, count: list(ports)[:count])

    assert free_port() != free_port()


def test_workers_of_a_run_get_different_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "4")
    for worker in range(4):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", f"gw{worker}")
        assert free_port() % 4 == worker
