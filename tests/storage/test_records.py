"""Limits' records and idempotency keys, in memory and on DynamoDB; the limits themselves under concurrency."""

from __future__ import annotations

import pytest

from shared.errors import RateLimitExceeded, StreamLimitExceeded
from shared.jobs.idempotency import KeyClaim, KeyTaken
from shared.limits.creations import CreationLimit
from shared.limits.records import VersionConflict, Versioned
from shared.limits.stream_slots import StreamSlots
from tests.fakes.clock import NOON
from tests.storage.at_once import at_once
from tests.storage.ports import AwsServer, Ports, adapters

LATER = 2**33


class TestRecords:
    def test_a_record_nobody_stored_is_empty_at_version_0(self, ports: Ports, owner: str) -> None:
        assert ports.records.load(owner, "creations") == Versioned(0, "{}")

    def test_a_record_is_swapped_for_its_successor(self, ports: Ports, owner: str) -> None:
        ports.records.swap(owner, "creations", Versioned(0, "one"), expires_at=LATER)
        assert ports.records.load(owner, "creations") == Versioned(1, "one")
        ports.records.swap(owner, "creations", Versioned(1, "two"), expires_at=LATER)
        assert ports.records.load(owner, "creations") == Versioned(2, "two")

    @pytest.mark.parametrize("version", [0, 1, 3])
    def test_a_version_that_is_not_the_stored_one_is_lost(self, ports: Ports, owner: str, version: int) -> None:
        for number in range(2):
            ports.records.swap(owner, "creations", Versioned(number, "stands"), expires_at=LATER)
        with pytest.raises(VersionConflict):
            ports.records.swap(owner, "creations", Versioned(version, "lost"), expires_at=LATER)
        assert ports.records.load(owner, "creations") == Versioned(2, "stands")

    def test_records_of_other_purposes_and_users_are_others(self, ports: Ports, owner: str) -> None:
        ports.records.swap(owner, "creations", Versioned(0, "one"), expires_at=LATER)
        assert ports.records.load(owner, "streams").version == 0
        assert ports.records.load(f"not {owner}", "creations").version == 0

    def test_dynamodb_may_delete_a_record_when_nothing_in_it_counts_any_more(
        self, server: AwsServer, owner: str
    ) -> None:
        ports = adapters(server)
        CreationLimit(ports.records, limit=10, clock=ports.clock).count_creation(owner)
        key = {"PK": {"S": f"USER#{owner}"}, "SK": {"S": "LIMIT#creations"}}
        item = server.dynamodb.get_item(TableName=server.table, Key=key)["Item"]
        assert int(item["expiresAt"]["N"]) == int(NOON.timestamp()) + 61


class TestUnderConcurrency:
    def test_of_twenty_creations_at_once_exactly_ten_get_in(self, ports: Ports, owner: str) -> None:
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

    def test_of_twenty_streams_at_once_exactly_five_get_a_slot(self, ports: Ports, owner: str) -> None:
        slots = StreamSlots(ports.records, limit=5, lease_seconds=30, clock=ports.clock)

        def take(number: int) -> int | None:
            try:
                slots.take(owner, f"tab{number}", f"holder{number}")
            except StreamLimitExceeded:
                return None
            return number

        holders = [number for number in at_once(take) if number is not None]
        assert len(holders) == 5
        slots.release(owner, f"tab{holders[0]}", f"holder{holders[0]}")
        assert sum(number is not None for number in at_once(take)) == 5  # the four that hold one still, and one more

    def test_twenty_connections_of_one_tab_leave_one_holder(self, ports: Ports, owner: str) -> None:
        slots = StreamSlots(ports.records, limit=5, lease_seconds=30, clock=ports.clock)
        at_once(lambda number: slots.take(owner, "tab", f"holder{number}"))
        assert sum(at_once(lambda number: slots.renew(owner, "tab", f"holder{number}"))) == 1


def a_claim(job_id: str) -> KeyClaim:
    return KeyClaim(job_id=job_id, request_hash="hash", claimed_at=NOON.timestamp() + 0.5)


class TestIdempotencyKeys:
    def test_a_taken_key_says_by_whom(self, ports: Ports, owner: str) -> None:
        ports.keys.claim(owner, "key", a_claim("first"), expires_at=LATER)
        with pytest.raises(KeyTaken) as taken:
            ports.keys.claim(owner, "key", a_claim("second"), expires_at=LATER)
        assert taken.value.claim == a_claim("first")

    def test_a_claim_whose_answer_was_lost_finds_itself(self, ports: Ports, owner: str) -> None:
        for _ in range(2):
            ports.keys.claim(owner, "key", a_claim("first"), expires_at=LATER)

    def test_a_key_is_its_owners_own(self, ports: Ports, owner: str) -> None:
        ports.keys.claim(owner, "key", a_claim("first"), expires_at=LATER)
        ports.keys.claim(f"not {owner}", "key", a_claim("second"), expires_at=LATER)
        ports.keys.claim(owner, "another key", a_claim("third"), expires_at=LATER)

    def test_a_key_is_free_again_from_the_second_it_expires(self, ports: Ports, owner: str) -> None:
        ports.keys.claim(owner, "key", a_claim("first"), expires_at=int(NOON.timestamp()) + 10)
        ports.clock.advance(9.999)
        with pytest.raises(KeyTaken):
            ports.keys.claim(owner, "key", a_claim("second"), expires_at=LATER)
        ports.clock.advance(0.001)
        ports.keys.claim(owner, "key", a_claim("second"), expires_at=LATER)

    def test_a_claim_can_be_taken_over_by_who_knows_it_and_only_once(self, ports: Ports, owner: str) -> None:
        ports.keys.claim(owner, "key", a_claim("dead"), expires_at=LATER)
        ports.keys.claim(owner, "key", a_claim("second"), expires_at=LATER, replaces=a_claim("dead"))
        with pytest.raises(KeyTaken) as taken:
            ports.keys.claim(owner, "key", a_claim("third"), expires_at=LATER, replaces=a_claim("dead"))
        assert taken.value.claim == a_claim("second")

    def test_a_released_key_is_free_and_releasing_it_again_is_nothing(self, ports: Ports, owner: str) -> None:
        ports.keys.claim(owner, "key", a_claim("first"), expires_at=LATER)
        for _ in range(2):
            ports.keys.release(owner, "key", a_claim("first"))
        ports.keys.claim(owner, "key", a_claim("second"), expires_at=LATER)

    def test_somebody_elses_key_is_not_released(self, ports: Ports, owner: str) -> None:
        ports.keys.claim(owner, "key", a_claim("first"), expires_at=LATER)
        ports.keys.release(owner, "key", a_claim("second"))
        with pytest.raises(KeyTaken):
            ports.keys.claim(owner, "key", a_claim("second"), expires_at=LATER)

    def test_of_twenty_requests_with_one_key_exactly_one_gets_it(self, ports: Ports, owner: str) -> None:
        def take(number: int) -> str | None:
            try:
                ports.keys.claim(owner, "key", a_claim(f"job{number}"), expires_at=LATER)
            except KeyTaken as taken:
                return taken.claim.job_id
            return None

        answers = at_once(take)
        assert answers.count(None) == 1
        assert {each for each in answers if each} == {f"job{answers.index(None)}"}

    def test_the_clients_own_words_are_not_in_the_table(self, server: AwsServer, owner: str) -> None:
        adapters(server).keys.claim(owner, "my secret words", a_claim("first"), expires_at=LATER)
        found = server.dynamodb.query(
            TableName=server.table,
            KeyConditionExpression="PK = :pk",
            ExpressionAttributeValues={":pk": {"S": f"USER#{owner}"}},
        )
        assert "my secret words" not in str(found["Items"])
