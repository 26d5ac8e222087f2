"""Records of limits and idempotency keys, in memory and on DynamoDB, stay correct under concurrency."""

from __future__ import annotations

import pytest

from shared.errors import RateLimitExceeded, StreamLimitExceeded
from shared.jobs.idempotency import KeyClaim
from shared.jobs.store import SideWriteConflict
from shared.limits.creations import CreationLimit
from shared.limits.records import VersionConflict, Versioned
from shared.limits.stream_slots import SlotHolder, StreamSlots
from tests.fakes.clock import NOON
from tests.fakes.core import a_job
from tests.storage.at_once import at_once
from tests.storage.ports import AwsServer, Ports, adapters

LATER = 2**33


class TestRecords:
    def test_an_unknown_record_is_empty_and_has_version_0(self, ports: Ports, owner: str) -> None:
        assert ports.records.load(owner, "creations") == Versioned(0, "{}")
        assert ports.records.load(owner, "creations", consistent=False) == Versioned(0, "{}")

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
    def claim(self, ports: Ports, owner: str, name: str, *, key: str = "key", expires_at: int = LATER) -> bool:
        """Store a new job together with its claim; return whether the key was free."""
        claiming = ports.keys.claiming(owner, key, a_claim(name), expires_at=expires_at)
        job = a_job(owner=owner)
        try:
            ports.jobs.put_new(job, side_writes=claiming)
        except SideWriteConflict:
            assert ports.jobs.get(job.id) is None
            return False
        return True

    def test_a_key_has_the_claim_of_the_first_job(self, ports: Ports, owner: str) -> None:
        assert ports.keys.find(owner, "key") is None
        assert self.claim(ports, owner, "first")
        assert not self.claim(ports, owner, "second")
        assert ports.keys.find(owner, "key") == a_claim("first")

    def test_two_owners_can_use_the_same_key(self, ports: Ports, owner: str) -> None:
        assert self.claim(ports, owner, "first")
        assert self.claim(ports, f"not {owner}", "second")
        assert self.claim(ports, owner, "third", key="another key")

    def test_a_key_is_free_after_its_expiry(self, ports: Ports, owner: str) -> None:
        assert self.claim(ports, owner, "first", expires_at=int(NOON.timestamp()) + 10)
        ports.clock.advance(9.999)
        assert not self.claim(ports, owner, "second")
        ports.clock.advance(0.001)
        assert ports.keys.find(owner, "key") is None
        assert self.claim(ports, owner, "second")

    def test_a_released_key_is_free_and_a_second_release_changes_nothing(self, ports: Ports, owner: str) -> None:
        assert self.claim(ports, owner, "first")
        for _ in range(2):
            ports.keys.release(owner, "key", a_claim("first"))
        assert self.claim(ports, owner, "second")

    def test_a_release_does_not_free_another_claims_key(self, ports: Ports, owner: str) -> None:
        assert self.claim(ports, owner, "first")
        ports.keys.release(owner, "key", a_claim("second"))
        assert not self.claim(ports, owner, "second")

    def test_one_of_twenty_concurrent_requests_gets_the_key(self, ports: Ports, owner: str) -> None:
        answers = at_once(lambda number: self.claim(ports, owner, f"job{number}"))
        assert answers.count(True) == 1
        assert ports.keys.find(owner, "key") == a_claim(f"job{answers.index(True)}")

    def test_the_table_does_not_contain_the_clients_key(self, server: AwsServer, owner: str) -> None:
        assert self.claim(adapters(server), owner, "first", key="my secret words")
        found = server.dynamodb.query(
            TableName=server.table,
            KeyConditionExpression="PK = :pk",
            ExpressionAttributeValues={":pk": {"S": f"USER#{owner}"}},
        )
        assert "my secret words" not in str(found["Items"])
