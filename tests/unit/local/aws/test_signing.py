"""The role that signs a request when functions share a process."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.credentials import Credentials

from local.aws import signing
from tests.patience import PATIENCE


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the signing for one test."""
    monkeypatch.setattr(Credentials, "get_frozen_credentials", Credentials.get_frozen_credentials)
    signing.install()


def signer() -> str:
    return str(Credentials("local", "local").get_frozen_credentials().access_key)


def test_the_role_signs_inside_its_block_only() -> None:
    with signing.signing_as("WorkRole"):
        assert signer() == "WorkRole"
        with signing.signing_as("OtherRole"):
            assert signer() == "OtherRole"
        assert signer() == "WorkRole"
    assert signer() == "local"


def test_concurrent_functions_sign_with_their_own_roles() -> None:
    together = threading.Barrier(2, timeout=PATIENCE)

    def run(role: str) -> str:
        with signing.signing_as(role):
            together.wait()
            return signer()

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(run, ["WorkRole", "OtherRole"])) == ["WorkRole", "OtherRole"]


def test_work_on_an_event_loop_and_its_threads_is_signed_with_the_functions_role() -> None:
    """shared/runtime/event_loop.py runs stages in this way."""
    loop = asyncio.new_event_loop()
    running = threading.Thread(target=loop.run_forever)
    running.start()
    try:
        with signing.signing_as("WorkRole"):
            assert asyncio.run_coroutine_threadsafe(asyncio.to_thread(signer), loop).result(PATIENCE) == "WorkRole"
        assert asyncio.run_coroutine_threadsafe(asyncio.to_thread(signer), loop).result(PATIENCE) == "local"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        running.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
