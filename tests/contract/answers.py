"""What each event of `events/` needs before it is sent, and the response that its function must return."""

from __future__ import annotations

import base64
import functools
import gzip
import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from shared.ulid import new_ulid
from tests.applications import modules
from tests.contract.build_output import event
from tests.layout import ROOT

JOB = "job_01jd8x2v5n7k3q9w4t6y8z0abc"
AGENT = "agt_01jd8x2v5n7k3q9w4t6y8z0abc"
WEBHOOK = "whk_01jd8x2v5n7k3q9w4t6y8z0abc"
DELIVERY = "dlv_01jd8x2v5n7k3q9w4t6y8z0abc"
ERASURE = "ers_01jd8x2v5n7k3q9w4t6y8z0abc"
OWNER = "user-1"
AT_ONCE = "[[script: token_ms=0, first_token_ms=0]]"


class Invoker(Protocol):
    """Invokes functions: the built ones under Lambda's emulator, or those of the local stack's host."""

    def invoke(self, folder: str, payload: dict[str, Any]) -> Any:
        """Return the response of the function in the folder of that name."""


def function_of(name: str) -> str:
    return name.partition(".")[0]


# ---- what an event needs ---------------------------------------------------------------------------------------------
# What must exist before, also created by built functions: the id in the event's file → the id in this run.

Place = dict[str, str]


def nothing(_: Invoker) -> Place:
    return {}


def a_job(invoker: Invoker) -> Place:
    return {JOB: str(create(invoker, "create_job.valid")["jobId"])}


def a_cancelled_job(invoker: Invoker) -> Place:
    place = a_job(invoker)
    data(ask(invoker, "cancel_job.valid", place))
    return place


def a_job_after(*stages: str) -> Callable[[Invoker], Place]:
    return lambda invoker: after(invoker, a_job(invoker), stages)


def an_agent(invoker: Invoker) -> Place:
    return {AGENT: str(data(ask(invoker, "create_agent.valid"), 201)["agentId"])}


def a_webhook(invoker: Invoker) -> Place:
    return {WEBHOOK: str(data(ask(invoker, "create_webhook.valid"), 201)["webhookId"])}


def a_delivery(invoker: Invoker) -> Place:
    """Let a job complete after a webhook was created. Nothing attempts the delivery: no queue is read here."""
    place = a_webhook(invoker)
    now = datetime.now(UTC).isoformat()
    told = {**place, "2026-11-21T09:30:00Z": now, JOB: f"job_a{new_ulid(int(time.time() * 1000))}"}
    assert ask(invoker, "dispatch_webhooks.job_completed", told) == {"batchItemFailures": []}
    listed = payload("list_webhook_deliveries.valid", place)
    listed["queryStringParameters"] = {}
    listed["rawQueryString"] = ""
    # Another event's job may end at the same moment, and its owner has this webhook as well.
    deliveries = data(invoker.invoke("list_webhook_deliveries", listed))["deliveries"]
    [delivery] = [each for each in deliveries if each["jobId"] == told[JOB]]
    return {**place, DELIVERY: str(delivery["deliveryId"])}


def another_owner(_: Invoker) -> Place:
    """An owner whom nothing else here needs: an owner who is being erased may store nothing."""
    return {OWNER: f"user-{uuid.uuid4().hex}"}


def an_erasure(invoker: Invoker) -> Place:
    place = another_owner(invoker)
    return {**place, ERASURE: str(data(ask(invoker, "erase_data.valid", place), 202)["erasureId"])}


def after(invoker: Invoker, place: Place, stages: tuple[str, ...]) -> Place:
    for stage in stages:
        done(stage)(ask(invoker, f"{stage}.first_attempt", place), place)
    return place


def ask(invoker: Invoker, name: str, place: Place | None = None) -> Any:
    """Send the event with this run's ids to its function, and return the response."""
    return invoker.invoke(function_of(name), payload(name, place or {}))


def payload(name: str, place: Place) -> dict[str, Any]:
    """Return the event with this run's ids."""
    text = json.dumps(event(name))
    for example, actual in place.items():
        text = text.replace(example, actual)
    about: dict[str, Any] = json.loads(text)
    return about


def create(invoker: Invoker, name: str, **changes: Any) -> dict[str, Any]:
    """Create what the event asks for, with a new idempotency key and a model that does not wait."""
    new = event(name)
    new["headers"]["idempotency-key"] = str(uuid.uuid4())
    body = json.loads(new["body"])
    fields = body.get("input", body)
    fields |= {"additionalContext" if "input" in body else "requirements": AT_ONCE, **changes}
    new["body"] = json.dumps(body)
    created: dict[str, Any] = data(invoker.invoke(function_of(name), new), 202)
    return created


def data(answer: Any, status: int = 200) -> Any:
    """Return the `data` of a response, which must be a success."""
    assert answer["statusCode"] == status, answer
    return json.loads(answer["body"])["data"]


# ---- the response to an event ----------------------------------------------------------------------------------------

Check = Callable[[Any, Place], None]
Answers = dict[str, tuple[Callable[[Invoker], Place], Check]]
"""Event → what it needs and its response; an application's are in `tests/apps/<app>/artefacts.py`."""


def shows(field: str, wanted: str, status: int = 200) -> Check:
    """Check that this field of the response's `data` is the id in the event."""

    def check(answer: Any, place: Place) -> None:
        assert data(answer, status)[field] == place[wanted]

    return check


def has(field: str, value: Any, status: int = 200) -> Check:
    def check(answer: Any, _: Place) -> None:
        assert data(answer, status)[field] == value

    return check


def names(field: str, status: int = 200) -> Check:
    """Check that this field of the response's `data` is not empty."""

    def check(answer: Any, _: Place) -> None:
        assert data(answer, status)[field]

    return check


def lists(field: str, key: str, wanted: str) -> Check:
    def check(answer: Any, place: Place) -> None:
        assert place[wanted] in [each[key] for each in data(answer)[field]]

    return check


def refuses(status: int, code: str) -> Check:
    def check(answer: Any, _: Place) -> None:
        assert answer["statusCode"] == status
        assert json.loads(answer["body"])["error"]["code"] == code

    return check


def done(stage: str) -> Check:
    def check(answer: Any, place: Place) -> None:
        assert answer == {"jobId": place[JOB], "stage": stage, "status": "done"}

    return check


def is_the_page(answer: Any, _: Place) -> None:
    assert answer["statusCode"] == 200
    assert answer["body"].startswith("<!doctype html>")


def is_the_client(answer: Any, _: Place) -> None:
    sent = gzip.decompress(base64.b64decode(answer["body"]))
    assert sent == (ROOT / "functions/console/static/millrace.js").read_bytes()


def says_what_was_swept(answer: Any, _: Place) -> None:
    assert answer.keys() == {"lookedAt", "checked", "ended", "finished"}, answer


def refuses_to_connect(answer: Any, _: Place) -> None:
    """Check that the unsigned ticket of the event opens no connection."""
    assert answer["policyDocument"]["Statement"][0]["Effect"] == "Deny", answer


def returns_status(status: int) -> Check:
    """Check the status that a function of the channel returns to API Gateway."""

    def check(answer: Any, _: Place) -> None:
        assert answer["statusCode"] == status, answer

    return check


def says_which_job_was_lost(answer: Any, place: Place) -> None:
    assert answer == {"ended": place[JOB]}, answer


def handles_every_record(answer: Any, _: Place) -> None:
    assert answer == {"batchItemFailures": []}, answer


def says_how_long_to_wait(answer: Any, _: Place) -> None:
    assert answer["done"] is False
    assert answer["waitSeconds"] > 0


def says_nothing(answer: Any, _: Place) -> None:
    assert answer == {}


def says_what_was_queued(answer: Any, _: Place) -> None:
    assert answer.keys() == {"queued", "finished"}, answer


_OF_THE_CORE: Answers = {
    "create_job.valid": (nothing, names("jobId", 202)),
    "create_job.invalid_field": (nothing, refuses(422, "VALIDATION_FAILED")),
    "create_job.malformed_json": (nothing, refuses(400, "MALFORMED_REQUEST")),
    "list_jobs.valid": (a_job, lists("jobs", "jobId", JOB)),
    "get_job.valid": (a_job, shows("jobId", JOB)),
    "cancel_job.valid": (a_job, has("status", "cancelled")),
    "delete_job.valid": (a_job, shows("jobId", JOB)),
    "archive_job.cancelled": (a_cancelled_job, handles_every_record),
    "erase_data.valid": (another_owner, names("erasureId", 202)),
    "get_erasure.valid": (an_erasure, shows("erasureId", ERASURE)),
    "erase_owner_data.valid": (an_erasure, says_how_long_to_wait),
    "record_erasure_failure.valid": (an_erasure, says_nothing),
    "resume_job.valid": (a_cancelled_job, shows("jobId", JOB, 202)),
    "create_stream_ticket.valid": (a_job, names("ticket", 201)),
    "create_connection_ticket.valid": (nothing, names("ticket", 201)),
    "authorize_connection.ticket": (nothing, refuses_to_connect),
    "open_connection.valid": (nothing, returns_status(200)),
    "end_connection.closed": (nothing, returns_status(200)),
    "subscribe.valid": (nothing, returns_status(200)),
    "unsubscribe.valid": (nothing, returns_status(200)),
    "ping.valid": (nothing, returns_status(200)),
    "refuse_message.unknown_type": (nothing, returns_status(200)),
    "create_agent.valid": (nothing, names("agentId", 201)),
    "list_agents.valid": (an_agent, lists("agents", "agentId", AGENT)),
    "get_agent.valid": (an_agent, shows("agentId", AGENT)),
    "update_agent.valid": (an_agent, has("version", 2)),
    "delete_agent.valid": (an_agent, shows("agentId", AGENT)),
    "create_webhook.valid": (nothing, names("secret", 201)),
    "list_webhooks.valid": (a_webhook, lists("webhooks", "webhookId", WEBHOOK)),
    "get_webhook.valid": (a_webhook, shows("webhookId", WEBHOOK)),
    "update_webhook.valid": (a_webhook, has("status", "disabled")),
    "delete_webhook.valid": (a_webhook, shows("webhookId", WEBHOOK)),
    "rotate_webhook_secret.valid": (a_webhook, names("secret")),
    "send_test_event.valid": (a_webhook, names("deliveryId", 202)),
    "dispatch_webhooks.job_completed": (a_webhook, handles_every_record),
    "deliver_webhook.first_attempt": (nothing, handles_every_record),
    "sweep_deliveries.scheduled": (nothing, says_what_was_queued),
    "list_webhook_deliveries.valid": (a_webhook, has("deliveries", [])),
    "get_webhook_delivery.valid": (a_delivery, shows("deliveryId", DELIVERY)),
    "replay_webhook_delivery.valid": (a_delivery, shows("deliveryId", DELIVERY)),
    "recover_webhook_deliveries.valid": (a_webhook, has("recovered", 0)),
    "console.root": (nothing, is_the_page),
    "console.page": (nothing, is_the_page),
    "console.file": (nothing, is_the_client),
    "console.config": (nothing, names("issuer")),
    "complete_job.first_attempt": (
        a_job_after("generate_suggestions", "validate_suggestions"),
        done("complete_job"),
    ),
    "record_failure.model_rate_limited": (a_job, done("record_failure")),
    "record_failure.invalid_model_output": (a_job, done("record_failure")),
    "record_failure.stage_timeout": (a_job, done("record_failure")),
    "end_lost_job.execution_failed": (a_job, says_which_job_was_lost),
    "sweep_jobs.scheduled": (nothing, says_what_was_swept),
}


@functools.cache
def answers() -> Answers:
    """Return what each event needs and its response, including the applications' events."""
    found = dict(_OF_THE_CORE)
    for module in modules("artefacts"):
        found |= module.ANSWERS
    return found
