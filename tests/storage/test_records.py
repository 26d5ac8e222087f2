"""Records of limits and idempotency keys, in memory and on DynamoDB, stay correct under concurrency."""

from __future__ import annotations

import pytest

from shared.errors import RateLimitExceeded, StreamLimitExceeded
from shared.jobs.idempotency import KeyClaim, KeyTaken
from shared.limits.creations import CreationLimit
from shared.limits.records import VersionConflict, Versioned
from shared.limits.stream_slots import SlotHolder, StreamSlots
from tests.fakes.clock import NOON
from tests.storage.at_once import at_once
from tests.storage.ports import AwsServer, Ports, adapters

LATER = 2**33


class TestRecords:
    def test_an_unknown_record_is_empty_and_has_version_0(self, ports: Ports, owner: str) -> None:
        assert ports.records.load(owner, "creations") == Versioned(0, "{}")

    def test_a_swap_stores_the_next_version(self, ports: Ports, owner: str) -> None:
        ports.records.swap(owner, "creations", Versioned(0, "one"), expires_at=LATER)
        assert ports.records.load(owner, "creations") == Versioned(1, "one")
        ports.records.swap(owner, "creations", Versioned(1, "two"), expires_at=LATER)
        assert ports.records.load(owner, "creations") == Versioned(2, "two")

    @pytest.mark.parametrize("version", [0, 1, 3])
    def test_a_swap_of_another_version_is_refused(self, ports: Ports, owner: str, version: int) -> None:
        for number in range(2):
            ports.records.swap(owner, "creations", Versioned(number, "stands"), expires_at=LATER)
        with pytest.raises(VersionConflict):
            ports.records.swap(owner, "creations", Versioned(version, "lost"), expires_at=LATER)
        assert ports.records.load(owner, "creations") == Versioned(2, "stands")

    def test_each_purpose_and_user_has_a_separate_record(self, ports: Ports, owner: str) -> None:
        ports.records.swap(owner, "creations", Versioned(0, "one"), expires_at=LATER)
        assert ports.records.load(owner, "streams").version == 0
        assert ports.records.load(f"not {owner}", "creations").version == 0

    def test_a_record_expires_when_none_of_its_entries_counts(self, server: AwsServer, owner: str) -> None:
        ports = adapters(server)
        CreationLimit(ports.records, limit=10, clock=ports.clock).count_creation(owner)
        key = {"PK": {"S": f"USER#{owner}"}, "SK": {"S": "LIMIT#creations"}}
        item = server.dynamodb.get_item(TableName=server.table, Key=key)["Item"]
        assert int(item["expiresAt"]["N"]) == int(NOON.timestamp()) + 61


class TestUnderConcurrency:
    def test_ten_of_twenty_concurrent_creations_are_allowed(self, ports: Ports, owner: str) -> None:
        limit = CreationLimit(ports.records, limit=10, clock=ports.clock)

        def take(number: int) -> int:
            try:
                limit.count_creation(owner)
            except RateLimitExceeded as refusal:
                return refusal.retry_after
            return 0

        assert sorted(at_once(take)) == [0] * 10 + [60] * 10
        ports.clock.advance(60)
        limit.count_creation(owner)

    def test_five_of_twenty_concurrent_streams_get_a_slot(self, ports: Ports, owner: str) -> None:
        slots = StreamSlots(ports.records, limit=5, lease_seconds=30, clock=ports.clock)

        def take(number: int) -> int | None:
            try:
                slots.take(owner, a_connection(number))
            except StreamLimitExceeded:
                return None
            return number

        holders = [number for number in at_once(take) if number is not None]
        assert len(holders) == 5
        slots.release(owner, a_connection(holders[0]))
        assert sum(number is not None for number in at_once(take)) == 5  # the four that still have a slot, and one more

    def test_of_twenty_connections_of_one_tab_five_open_and_one_stays(self, ports: Ports, owner: str) -> None:
        slots = StreamSlots(ports.records, limit=5, lease_seconds=30, clock=ports.clock)

        def take(number: int) -> SlotHolder | None:
            try:
                slots.take(owner, a_connection(number, tab="tab"))
            except StreamLimitExceeded:
                return None
            return a_connection(number, tab="tab")

        opened = [each for each in at_once(take) if each is not None]
        assert len(opened) == 5
        assert sum(slots.renew(owner, each) for each in opened) <= 1


def a_connection(number: int, *, tab: str | None = None) -> SlotHolder:
    return SlotHolder(f"connection{number}", tab or f"tab{number}", lasts=60)


def a_claim(job_id: str) -> KeyClaim:
    return KeyClaim(job_id=job_id, request_hash="hash", claimed_at=NOON.timestamp() + 0.5)


class TestIdempotencyKeys:
    def test_a_used_key_returns_the_stored_claim(self, ports: Ports, owner: str) -> None:
        ports.keys.claim(owner, "key", a_claim("first"), expires_at=LATER)
        with pytest.raises(KeyTaken) as taken:
            ports.keys.claim(owner, "key", a_claim("second"), expires_at=LATER)
        assert taken.value.claim == a_claim("first")

    def test_a_repeated_claim_succeeds_after_a_lost_response(self, ports: Ports, owner: str) -> None:
        for _ in range(2):
            ports.keys.claim(owner, "key", a_claim("first"), expires_at=LATER)

    def test_two_owners_can_use_the_same_key(self, ports: Ports, owner: str) -> None:
        ports.keys.claim(owner, "key", a_claim("first"), expires_at=LATER)
        ports.keys.claim(f"not {owner}", "key", a_claim("second"), expires_at=LATER)
        ports.keys.claim(owner, "another key", a_claim("third"), expires_at=LATER)

    def test_a_key_is_free_after_its_expiry(self, ports: Ports, owner: str) -> None:
        ports.keys.claim(owner, "key", a_claim("first"), expires_at=int(NOON.timestamp()) + 10)
        ports.clock.advance(9.999)
        with pytest.raises(KeyTaken):
            ports.keys.claim(owner, "key", a_claim("second"), expires_at=LATER)
        ports.clock.advance(0.001)
        ports.keys.claim(owner, "key", a_claim("second"), expires_at=LATER)

    def test_a_known_claim_can_be_replaced_once(self, ports: Ports, owner: str) -> None:
        ports.keys.claim(owner, "key", a_claim("dead"), expires_at=LATER)
        ports.keys.claim(owner, "key", a_claim("second"), expires_at=LATER, replaces=a_claim("dead"))
        with pytest.raises(KeyTaken) as taken:
            ports.keys.claim(owner, "key", a_claim("third"), expires_at=LATER, replaces=a_claim("dead"))
        assert taken.value.claim == a_claim("second")

    def test_a_released_key_is_free_and_a_second_release_changes_nothing(self, ports: Ports, owner: str) -> None:
        ports.keys.claim(owner, "key", a_claim("first"), expires_at=LATER)
        for _ in range(2):
            ports.keys.release(owner, "key", a_claim("first"))
        ports.keys.claim(owner, "key", a_claim("second"), expires_at=LATER)

    def test_a_release_does_not_free_another_claims_key(self, ports: Ports, owner: str) -> None:
        ports.keys.claim(owner, "key", a_claim("first"), expires_at=LATER)
        ports.keys.release(owner, "key", a_claim("second"))
        with pytest.raises(KeyTaken):
            ports.keys.claim(owner, "key", a_claim("second"), expires_at=LATER)

    def test_one_of_twenty_concurrent_requests_gets_the_key(self, ports: Ports, owner: str) -> None:
        def take(number: int) -> str | None:
            try:
                ports.keys.claim(owner, "key", a_claim(f"job{number}"), expires_at=LATER)
            except KeyTaken as taken:
                return taken.claim.job_id
            return None

        answers = at_once(take)
        assert answers.count(None) == 1
        assert {each for each in answers if each} == {f"job{answers.index(None)}"}

    def test_the_table_does_not_contain_the_clients_key(self, server: AwsServer, owner: str) -> None:
        adapters(server).keys.claim(owner, "my secret words", a_claim("first"), expires_at=LATER)
        found = server.dynamodb.query(
            TableName=server.table,
            KeyConditionExpression="PK = :pk",
            ExpressionAttributeValues={":pk": {"S": f"USER#{owner}"}},
        )
        assert "my secret words" not in str(found["Items"])
