"""Erase everything of one user: no table and no bucket keeps any of it, and another user's data stay as they are."""

from __future__ import annotations

import base64
import binascii
import contextlib
import gzip
import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from local.stack import LocalStack
from tests.api_user import ApiUser, any_record_waits, broken_rules, data_of, refusal, wait_until
from tests.applications import modules

ID = re.compile(r"(?:job|run|ses|prj|agt|img|scn|rnd|tfm|whk|whd)_[0-9a-z]{26,27}")
"""The ids of things that belong to users."""


def stored(stack: LocalStack) -> dict[str, str]:
    """Return everything in all tables and buckets, by table or bucket and key, with encoded values also decoded."""
    database, bucket = stack.client("dynamodb"), stack.client("s3")
    found: dict[str, str] = {}
    for table in database.list_tables()["TableNames"]:
        for page in database.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
            for item in page["Items"]:
                key = f"{table} {item['PK']['S']} {item['SK']['S']}"
                found[key] = "\n".join([json.dumps(item, sort_keys=True, default=str), *_decoded_values(item)])
    for name in [each["Name"] for each in bucket.list_buckets()["Buckets"]]:
        for page in bucket.get_paginator("list_objects_v2").paginate(Bucket=name):
            for each in page.get("Contents", ()):
                with contextlib.suppress(bucket.exceptions.NoSuchKey):  # it was deleted meanwhile
                    content = bucket.get_object(Bucket=name, Key=each["Key"])["Body"].read()
                    found[f"{name} {each['Key']}"] = "\n".join(_texts(content))
    return found


def _decoded_values(value: Any) -> Iterator[str]:
    """Yield what is in encoded texts and binary values of an item."""
    match value:
        case bytes():
            yield from _texts(value)
        case str() if len(value) > 20:
            try:
                yield from _texts(base64.b64decode(value, validate=True))
            except (binascii.Error, ValueError):
                return
        case Mapping():
            for each in value.values():
                yield from _decoded_values(each)
        case list():
            for each in value:
                yield from _decoded_values(each)


def _texts(content: bytes) -> Iterator[str]:
    yield content.decode("latin-1")
    if content[:2] == b"\x1f\x8b":
        yield gzip.decompress(content).decode("latin-1")


def needles_of(user: ApiUser, marker: str, found: Mapping[str, str]) -> set[str]:
    """Return what no text may contain that is not the user's: the name, its hashes, the marker, and the user's ids."""
    needles = {user.name, marker, hashlib.sha256(user.name.encode()).hexdigest()[:16]}
    for _ in range(3):  # the ids of a run lead to its transforms, and so on
        for key, text in found.items():
            if any(needle in key or needle in text for needle in needles):
                needles |= set(ID.findall(f"{key}\n{text}"))
    return needles


def at_rest(stack: LocalStack, *users: ApiUser, needles: set[str]) -> dict[str, str]:
    """Return what is stored as soon as nothing with these texts changes: archiving follows the end of a job."""
    seen: list[dict[str, str]] = [stored(stack)]

    def unchanged() -> bool:
        seen.append(stored(stack))
        return mentioning(seen[-1], needles) == mentioning(seen[-2], needles)

    wait_until(lambda: all(map(has_settled, users)) and not any_record_waits(stack) and unchanged())
    return seen[-1]


def has_settled(user: ApiUser) -> bool:
    """Return whether each job of the user has begun, and the execution of each ended job has ended."""
    states, jobs = user.stack.client("stepfunctions"), [user.job(job_id) for job_id in user.jobs(limit=100)]
    ended = [job["executionArn"] for job in jobs if job["endedAt"] is not None]
    executions = [states.describe_execution(executionArn=arn) for arn in ended if arn is not None]
    has_begun = all(job["status"] != "pending" for job in jobs)
    return has_begun and all(execution["status"] != "RUNNING" for execution in executions)


def mentioning(found: Mapping[str, str], needles: set[str]) -> dict[str, str]:
    return {key: text for key, text in found.items() if any(each in key or each in text for each in needles)}


@pytest.fixture(scope="module")
def owners(stack: LocalStack) -> Iterator[tuple[tuple[ApiUser, str], tuple[ApiUser, str]]]:
    """Two users who have something of every kind that applications store, and the marker in all of it."""
    pairs = []
    for _ in range(2):
        user, marker = ApiUser(stack), f"marker{uuid.uuid4().hex}"
        for module in modules("stored"):
            module.store(user, marker)
        replaced = user.new_agent(name=marker)
        data_of(user.api.patch(f"/agents/{replaced}", json={"instructions": f"{marker} again"}))
        assert user.api.delete(f"/agents/{user.new_agent(instructions=marker)}").status_code == 200
        data_of(user.api.delete(f"/jobs/{user.new_job()}"))
        pairs.append((user, marker))
    yield pairs[0], pairs[1]
    for user, _ in pairs:
        user.close()


def test_an_erasure_that_is_killed_and_repeated_leaves_nothing_and_touches_no_other_user(
    stack: LocalStack, owners: tuple[tuple[ApiUser, str], tuple[ApiUser, str]]
) -> None:
    (ada, ada_marker), (bob, bob_marker) = owners
    before = at_rest(stack, ada, bob, needles={ada.name, ada_marker, bob.name, bob_marker})
    adas, bobs = needles_of(ada, ada_marker, before), needles_of(bob, bob_marker, before)
    assert not adas & bobs
    of_bob = mentioning(before, bobs)
    assert len(mentioning(before, adas)) > 40

    with stack.holding("DeleteItem", executed=False, function="EraseOwnerDataFunction", skip=7) as held:
        begun = data_of(ada.api.delete("/me/data", params={"confirm": "erase"}), 202)
        path = f"/me/data/erasures/{begun['erasureId']}"
        wait_until(held)
        error = refusal(ada.create(), 409, "ERASURE_RUNNING")
        assert (error["retryable"], begun["erasureId"] in error["message"]) == (True, True)
        assert error["details"]["retryAfterSeconds"] >= 1
        again = data_of(ada.api.delete("/me/data", params={"confirm": "erase"}), 202)
        assert again["erasureId"] == begun["erasureId"]
        bob.new_job("hang_after=0")
    wait_until(lambda: data_of(ada.api.get(path))["status"] == "completed")

    after = stored(stack)
    # Notes without an owner keep processes that come late from storing a job again. The usage ledger's lines have ids.
    left = {key for key in mentioning(after, adas) if not key.endswith(" ERASED") and " usage/dt=" not in key}
    assert left == set()
    assert mentioning(after, {ada.name, ada_marker}) == {}
    assert {key: after.get(key) for key in of_bob if "LIMIT#" not in key} == {
        key: text for key, text in of_bob.items() if "LIMIT#" not in key
    }
    report = data_of(ada.api.get(path))
    counts = {step["name"]: step["erased"] for step in report["steps"]}
    assert all(step["done"] for step in report["steps"])
    assert {"runs": 2, "sessions": 2, "projects": 2, "agents": 2}.items() <= counts.items()
    assert {copy["name"]: copy["days"] for copy in report["copies"]}["logs"] == 14
    refusal(bob.api.get(path), 404, "NOT_FOUND")


def test_an_erasure_has_to_be_confirmed(user: ApiUser) -> None:
    for parameters in ({}, {"confirm": ""}, {"confirm": "yes"}):
        rules = broken_rules(user.api.delete("/me/data", params=parameters))
        assert rules.keys() == {"confirm"}
    assert user.new_job() in user.jobs()


def test_an_erasure_of_nothing_is_completed_and_then_the_user_can_go_on(user: ApiUser) -> None:
    response = user.api.delete("/me/data", params={"confirm": "erase"})
    erasure = data_of(response, 202)
    assert response.headers["location"].endswith(f"/me/data/erasures/{erasure['erasureId']}")
    wait_until(lambda: data_of(user.api.get(f"/me/data/erasures/{erasure['erasureId']}"))["status"] == "completed")
    job_id = user.new_job()
    assert user.ended(job_id)["status"] == "completed"
