"""Verifiers that nobody here wrote accept our requests, also during a rotation, and refuse what was changed."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import pytest
import standardwebhooks
import svix
from openai import InvalidWebhookSignatureError, OpenAI

from shared.clock import utc_now
from tests.fakes.clock import SettableClock
from tests.fakes.core import FakeCore
from tests.layout import ROOT
from tests.patience import PATIENCE
from tests.unit.webhooks.test_service import settings

NODE_MODULES = ROOT / "tests/typescript/node_modules"
EVENT = {
    "type": "job.completed",
    "timestamp": "2026-11-26T12:00:00Z",
    "data": {"jobId": "job_a01", "title": "ü \u2028 \U0001f600"},
}
Verify = Callable[["Signed"], None]
EVENT_ID = "evt_01jd8x2v5n7k3q9w4t6y8z0abc_1_completed"


@dataclass(frozen=True)
class Signed:
    """A request, and the secret with which it is to be verified."""

    secret: str
    headers: Mapping[str, str]
    body: bytes

    def with_header(self, name: str, value: str) -> Signed:
        return replace(self, headers={**self.headers, name: value})


class World:
    """One webhook and its requests. The verifiers compare timestamps with the time of this machine."""

    def __init__(self) -> None:
        self.clock = SettableClock(utc_now())
        core = FakeCore(clock=self.clock)
        self._service, self._secrets = core.webhook_service, core.ports.webhook_secrets
        self.endpoint, secret = self._service.create("ada", settings())
        assert secret is not None
        self.secrets = [secret]

    def rotate(self, grace_seconds: int = 24 * 3600) -> None:
        self.endpoint, secret = self._service.rotate_secret("ada", self.endpoint.id, grace_seconds=grace_seconds)
        self.secrets.append(secret)

    def signed(self, secret: str | None = None) -> Signed:
        body = json.dumps(EVENT, ensure_ascii=False).encode()
        headers = self._secrets.signed_headers(self.endpoint, EVENT_ID, body)
        return Signed(secret or self.secrets[-1], headers, body)


@pytest.fixture
def world() -> World:
    return World()


def by_standard_webhooks(signed: Signed) -> None:
    standardwebhooks.Webhook(signed.secret).verify(signed.body, dict(signed.headers))


def by_svix(signed: Signed) -> None:
    svix.Webhook(signed.secret).verify(signed.body, dict(signed.headers))


def by_openai(signed: Signed) -> None:
    client = OpenAI(api_key="none", webhook_secret=signed.secret)
    client.webhooks.verify_signature(signed.body, dict(signed.headers))


def by_example(signed: Signed) -> None:
    """Verify with the example for Python."""
    if receiver().receive(signed.secret, signed.body, dict(signed.headers)) != 204:
        raise standardwebhooks.WebhookVerificationError


@functools.cache
def receiver() -> ModuleType:
    """Return the example for Python as a module."""
    spec = importlib.util.spec_from_file_location("receive", ROOT / "examples/webhooks/receive.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFUSALS = (standardwebhooks.WebhookVerificationError, svix.WebhookVerificationError, InvalidWebhookSignatureError)
VERIFIERS = [by_standard_webhooks, by_svix, by_openai, by_example]
every_verifier = pytest.mark.parametrize("verify", VERIFIERS, ids=lambda each: each.__name__)


@every_verifier
class TestVerifiers:
    def test_a_request_is_accepted(self, world: World, verify: Verify) -> None:
        verify(world.signed())

    def test_during_a_rotation_both_secrets_are_accepted(self, world: World, verify: Verify) -> None:
        world.rotate()
        for secret in world.secrets:
            verify(world.signed(secret))

    def test_a_secret_that_has_ended_is_refused(self, world: World, verify: Verify) -> None:
        world.rotate(grace_seconds=0)
        verify(world.signed())
        with pytest.raises(REFUSALS):
            verify(world.signed(world.secrets[0]))

    def test_the_secret_of_another_webhook_is_refused(self, world: World, verify: Verify) -> None:
        with pytest.raises(REFUSALS):
            verify(world.signed(World().secrets[0]))

    def test_a_changed_byte_is_refused(self, world: World, verify: Verify) -> None:
        signed = world.signed()
        with pytest.raises(REFUSALS):
            verify(replace(signed, body=signed.body.replace(b"a01", b"a02")))

    def test_another_id_is_refused(self, world: World, verify: Verify) -> None:
        with pytest.raises(REFUSALS):
            verify(world.signed().with_header("webhook-id", f"{EVENT_ID}x"))

    @pytest.mark.parametrize("minutes", [-6, 6])
    def test_a_request_of_another_time_is_refused(self, world: World, verify: Verify, minutes: int) -> None:
        world.clock.advance(60 * minutes)
        with pytest.raises(REFUSALS):
            verify(world.signed())

    def test_a_changed_timestamp_is_refused(self, world: World, verify: Verify) -> None:
        signed = world.signed()
        later = str(int(signed.headers["webhook-timestamp"]) + 1)
        with pytest.raises(REFUSALS):
            verify(signed.with_header("webhook-timestamp", later))


def test_the_package_for_node_agrees_in_the_example(world: World, tmp_path: Path) -> None:
    first, before = world.signed(), world.secrets[0]
    world.rotate()
    now = world.signed()
    world.clock.advance(-6 * 60)
    accepted = [first, now, with_secret(now, before)]
    refused = [
        world.signed(),
        replace(now, body=now.body + b" "),
        now.with_header("webhook-id", "evt_2"),
        with_secret(now, World().secrets[0]),
        with_secret(first, world.secrets[1]),
    ]
    assert by_node([*accepted, *refused], tmp_path) == [204] * len(accepted) + [400] * len(refused)


def with_secret(signed: Signed, secret: str) -> Signed:
    return replace(signed, secret=secret)


def by_node(requests: Sequence[Signed], folder: Path) -> list[int]:
    """Return the statuses with which the example for Node answers the requests."""
    node = shutil.which("node")
    if node is None or not (NODE_MODULES / "standardwebhooks").exists():
        reason = "the npm package is not installed: npm ci --prefix tests/typescript"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    shutil.copy(ROOT / "examples/webhooks/receive.mjs", folder)
    (folder / "node_modules").symlink_to(NODE_MODULES.resolve())
    (folder / "all.mjs").write_text(
        'import { readFileSync } from "node:fs";\n'
        'import { receive } from "./receive.mjs";\n'
        "console.log = () => {};\n"
        'const requests = JSON.parse(readFileSync(0, "utf8"));\n'
        "const statuses = requests.map(({ secret, body, headers }) => receive(secret, body, headers));\n"
        "process.stdout.write(JSON.stringify(statuses));\n"
    )
    sent = [{"secret": each.secret, "body": each.body.decode(), "headers": dict(each.headers)} for each in requests]
    ran = subprocess.run(
        [node, str(folder / "all.mjs")],
        input=json.dumps(sent),
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ran.returncode == 0, ran.stderr
    return [int(each) for each in json.loads(ran.stdout)]
