"""Consume a stream or a queue: count each record in the table `Seen`, and fail or die if the job or message says so."""

import os
from typing import Any

from shared.jobs.transitions import JobTransition
from shared.runtime.batch import Message, handle_messages, handle_transitions
from shared.storage.aws import dynamodb


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    if event["Records"][0]["eventSource"] == "aws:sqs":
        return handle_messages(event, _message).response
    return handle_transitions(event, _transition).response


def _transition(transition: JobTransition) -> None:
    _act(transition.job.input.get("act"), transition.job.id, transition.record_id)


def _message(message: Message) -> None:
    _act(message.body.get("act"), message.body["errand"], message.group or "")


def _act(act: str | None, key: str, record: str) -> None:
    """Count the record; then raise if `act` is "fail", and end the process the first time if it is "die once"."""
    seen = dynamodb().update_item(
        TableName=os.environ["SEEN_TABLE"],
        Key={"PK": {"S": key}, "SK": {"S": record}},
        UpdateExpression="ADD times :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
        ReturnValues="ALL_NEW",
    )
    if act == "fail":
        raise ValueError(key)
    if act == "die once" and seen["Attributes"]["times"]["N"] == "1":
        os._exit(3)
