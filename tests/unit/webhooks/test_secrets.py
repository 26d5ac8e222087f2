"""How secrets are derived and requests signed. The official libraries verify them in test_verifiers.py."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.errors import StorageUnavailable
from shared.webhooks.endpoint import SigningKey, WebhookEndpoint, new_endpoint_id
from shared.webhooks.secrets import WebhookSecrets
from shared.webhooks.signature import derived_secret, shown_secret, signed_headers
from tests.fakes.clock import NOON, SettableClock
from tests.fakes.webhooks import fake_webhook_secrets

ENDPOINT_ID = new_endpoint_id(0)


def an_endpoint(*signing_keys: SigningKey) -> WebhookEndpoint:
    values: dict[str, Any] = {"url": "https://example.com/", "event_types": ("job.completed",)}
    stamps: dict[str, Any] = {"created_at": NOON, "updated_at": NOON}
    return WebhookEndpoint(id=ENDPOINT_ID, owner="ada", signing_keys=signing_keys, **values, **stamps)


def shown(secrets: WebhookSecrets, endpoint: WebhookEndpoint) -> str:
    return secrets.shown(endpoint.id, endpoint.signing_keys[0])


def signatures(headers: dict[str, str]) -> list[str]:
    return headers["webhook-signature"].split(" ")


class TestDerivation:
    @pytest.mark.parametrize("version", [1, 2, 1_000])
    def test_a_secret_is_what_another_implementation_derives(self, version: int) -> None:
        info = f"millrace webhook secret {ENDPOINT_ID} {version}".encode()
        expected = HKDF(SHA256(), 32, None, info).derive(b"master")
        assert derived_secret(b"master", ENDPOINT_ID, version) == expected

    def test_each_endpoint_version_and_master_key_has_another_secret(self) -> None:
        made = {
            derived_secret(master, endpoint_id, version)
            for master in (b"one", b"two")
            for endpoint_id in (ENDPOINT_ID, new_endpoint_id(1))
            for version in (1, 11)
        }
        assert len(made) == 8

    def test_a_secret_is_shown_with_its_prefix(self) -> None:
        assert shown_secret(bytes(24)) == "whsec_" + "A" * 32


class TestSignature:
    def test_the_example_of_the_libraries_has_their_signature(self) -> None:
        secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        headers = signed_headers([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
        assert headers == {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        }

    def test_every_valid_version_signs_and_the_current_one_first(self) -> None:
        clock = SettableClock()
        ends = clock() + timedelta(hours=24)
        endpoint = an_endpoint(SigningKey(version=2, master_key=1), SigningKey(version=1, master_key=1, ends_at=ends))
        secrets = fake_webhook_secrets(clock)
        both = signatures(secrets.signed_headers(endpoint, "evt_1", b"{}"))
        assert len(set(both)) == 2
        clock.advance(24 * 3600 - 1)
        assert len(signatures(secrets.signed_headers(endpoint, "evt_1", b"{}"))) == 2
        clock.advance(1)
        assert len(signatures(secrets.signed_headers(endpoint, "evt_1", b"{}"))) == 1


class TestMasterKeys:
    def test_a_key_that_is_appended_is_used_for_new_secrets_only(self) -> None:
        clock = SettableClock()
        before = fake_webhook_secrets(clock, master_secret="old")
        after = fake_webhook_secrets(clock, master_secret="old new")
        endpoint = an_endpoint(before.next_key(1))
        assert shown(after, endpoint) == shown(before, endpoint)
        assert after.next_key(2) == SigningKey(version=2, master_key=2)
        assert shown(after, an_endpoint(after.next_key(1))) != shown(before, endpoint)

    def test_a_process_that_has_an_older_master_secret_fetches_the_newer(self) -> None:
        clock = SettableClock()
        stale = WebhookSecrets(lambda: "old", lambda: "old new", clock=clock)
        endpoint = an_endpoint(SigningKey(version=1, master_key=2))
        assert shown(stale, endpoint) == shown(fake_webhook_secrets(clock, master_secret="old new"), endpoint)

    def test_a_master_key_that_is_nowhere_is_a_fault_that_names_its_number_only(self) -> None:
        secrets = fake_webhook_secrets(SettableClock(), master_secret="top-secret")
        with pytest.raises(StorageUnavailable) as fault:
            shown(secrets, an_endpoint(SigningKey(version=1, master_key=2)))
        assert "master key 2" in fault.value.message
        assert "top-secret" not in fault.value.message
