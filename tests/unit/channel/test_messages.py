"""The messages of the channel: what a client may send, and the JSON that the server sends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from shared.channel.messages import MAX_CLIENT_BYTES, Closing, Events, Ping, Subscribe, Unsubscribe, events_message
from shared.jobs.ids import new_job_id


class TestWhatAClientSends:
    def test_a_subscription_without_after_wants_every_event(self) -> None:
        assert Subscribe.model_validate({"type": "subscribe", "id": "1", "topic": "job:x"}).after == 0

    def test_a_ping_needs_no_positions(self) -> None:
        assert Ping.model_validate({"type": "ping", "id": "1"}).positions == {}

    @pytest.mark.parametrize(
        "message",
        [
            {"topic": "job:x"},
            {"id": "", "topic": "job:x"},
            {"id": "x" * 65, "topic": "job:x"},
            {"id": 1, "topic": "job:x"},
            {"id": "1"},
            {"id": "1", "topic": ""},
            {"id": "1", "topic": "x" * 81},
            {"id": "1", "topic": "job:x", "after": -1},
            {"id": "1", "topic": "job:x", "after": "3"},
            {"id": "1", "topic": "job:x", "after": True},
            {"id": "1", "topic": "job:x", "after": 1.5},
            {"id": "1", "topic": "job:x", "after": 10**10},
            {"id": "1", "topic": "job:x", "tab": "mine"},
        ],
    )
    def test_a_subscription_that_breaks_a_rule_is_refused(self, message: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            Subscribe.model_validate({"type": "subscribe", **message})

    def test_a_message_of_another_type_is_refused(self) -> None:
        with pytest.raises(ValidationError):
            Unsubscribe.model_validate({"type": "subscribe", "id": "1", "topic": "job:x"})

    def test_a_ping_with_the_positions_of_fifty_jobs_fits_into_a_message(self) -> None:
        ping = Ping(id="x" * 36, positions={f"job:{new_job_id(number)}": 9_999_999_999 for number in range(50)})
        assert len(ping.model_dump_json()) <= MAX_CLIENT_BYTES


class TestWhatTheServerSends:
    def test_events_are_pairs_of_a_number_and_an_event(self) -> None:
        text = events_message("job:x", [(3, '{"type":"delta","text":"a"}'), (4, '{"type":"delta","text":"é"}')])
        assert json.loads(text) == {
            "type": "events",
            "topic": "job:x",
            "events": [[3, {"type": "delta", "text": "a"}], [4, {"type": "delta", "text": "é"}]],
        }
        assert Events.model_validate_json(text).events[1] == (4, {"type": "delta", "text": "é"})

    def test_names_are_those_of_the_api(self) -> None:
        assert Closing(reason="too_many_messages").model_dump_json() == (
            '{"type":"closing","reason":"too_many_messages"}'
        )
