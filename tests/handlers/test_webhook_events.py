"""The functions of webhooks do their work for their events, and no secret leaves them but in the one response."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest

from local.stack import LocalStack
from tests.fixtures.functions import OWNER, Handle, envelope, load_event

WEBHOOK_ID = "whk_01jd8x2v5n7k3q9w4t6y8z0abc"


def about(name: str, webhook_id: str) -> dict[str, Any]:
    """Return the fields of the event that name its webhook, with this one."""
    event = json.loads(json.dumps(load_event(name)).replace(WEBHOOK_ID, webhook_id))
    return {field: event[field] for field in ("rawPath", "pathParameters", "requestContext")}


class TestWebhooks:
    def test_a_webhook_is_created_read_changed_and_deleted(self, handle: Handle) -> None:
        made = envelope(handle("create_webhook.valid"), 201)["data"]
        webhook_id = made["webhookId"]
        shown = {name: value for name, value in made.items() if name != "secret"}
        assert made["url"] == json.loads(load_event("create_webhook.valid")["body"])["url"]
        assert envelope(handle("list_webhooks.valid"), 200)["data"] == {"webhooks": [shown]}
        assert envelope(handle("get_webhook.valid", **about("get_webhook.valid", webhook_id)), 200)["data"] == shown
        changes = about("update_webhook.valid", webhook_id)
        disabled = envelope(handle("update_webhook.valid", **changes), 200)["data"]
        assert (disabled["status"], disabled["disabledReason"], disabled["version"]) == ("disabled", "owner", 2)
        assert envelope(handle("update_webhook.valid", **changes), 409)["error"]["code"] == "CONFLICT"
        deletion = about("delete_webhook.valid", webhook_id)
        assert envelope(handle("delete_webhook.valid", **deletion), 200)["data"] == {"webhookId": webhook_id}
        envelope(handle("delete_webhook.valid", **deletion), 404)

    def test_no_secret_is_in_a_table_a_log_or_another_response(
        self, handle: Handle, stack: LocalStack, tables: dict[str, str], capfd: pytest.CaptureFixture[str]
    ) -> None:
        made = envelope(handle("create_webhook.valid"), 201)["data"]
        webhook_id = made["webhookId"]
        name = "rotate_webhook_secret.valid"
        rotated = envelope(handle(name, **about(name, webhook_id)), 200)["data"]
        assert made["secret"] != rotated["secret"]
        assert [each["version"] for each in rotated["secrets"]] == [2, 1]
        others = [handle("list_webhooks.valid"), handle("get_webhook.valid", **about("get_webhook.valid", webhook_id))]
        items = [stack.client("dynamodb").scan(TableName=each)["Items"] for each in tables.values()]
        written = "".join([*capfd.readouterr(), json.dumps(others), str(items)])
        assert webhook_id in written
        for secret in (made["secret"], rotated["secret"]):
            bare = secret.removeprefix("whsec_")
            assert bare not in written
            assert base64.b64decode(bare).hex() not in written

    def test_a_repeat_with_the_same_key_gets_the_same_webhook_and_secret(self, handle: Handle) -> None:
        headers = {**load_event("create_webhook.valid")["headers"], "idempotency-key": "one"}
        first, second = (envelope(handle("create_webhook.valid", headers=headers), 201)["data"] for _ in range(2))
        assert first == second

    @pytest.mark.parametrize(
        "name", ["get_webhook.valid", "update_webhook.valid", "delete_webhook.valid", "rotate_webhook_secret.valid"]
    )
    def test_the_webhook_of_another_user_is_not_found(self, handle: Handle, name: str) -> None:
        webhook_id = envelope(handle("create_webhook.valid"), 201)["data"]["webhookId"]
        changes = about(name, webhook_id)
        context = copy.deepcopy(changes["requestContext"])
        context["authorizer"]["jwt"]["claims"]["sub"] = f"not {OWNER}"
        refused = envelope(handle(name, **{**changes, "requestContext": context}), 404)["error"]
        assert refused["code"] == "NOT_FOUND"

    @pytest.mark.parametrize("name", ["create_webhook.valid", "list_webhooks.valid", "rotate_webhook_secret.valid"])
    def test_a_request_without_authorizer_claims_is_refused(self, handle: Handle, name: str) -> None:
        event = load_event(name)
        del event["requestContext"]["authorizer"]
        answer = handle(name, requestContext=event["requestContext"])
        assert envelope(answer, 401)["error"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        ({}, {"url": "is required", "eventTypes": "is required"}),
        ({"url": "http://example.com/"}, {"url": "must begin with https://"}),
        ({"url": "https://169.254.169.254/"}, {"url": "must name its host, not give an IP address; use a domain name"}),
        ({"url": f"https://example.com/{'x' * 2029}"}, {"url": "must have at most 2048 characters"}),
        ({"url": None}, {"url": "must be a valid string"}),
        ({"eventTypes": []}, {"eventTypes": "must have at least 1 item"}),
        ({"eventTypes": ["job.exploded"]}, {"eventTypes.0": "must be 'job.created', 'job.started', "}),
        ({"pipelines": ["opera"]}, {"pipelines": "must be names of pipelines: ideation"}),
        ({"pipelines": []}, {"pipelines": "must have at least 1 item"}),
        ({"include": ["prompt"]}, {"include.0": "must be 'result'"}),
        ({"description": "x" * 201}, {"description": "must have at most 200 characters"}),
        ({"secret": "mine"}, {"secret": "is not a known field"}),
    ],
    ids=lambda each: ", ".join(each) if isinstance(each, dict) else None,
)
def test_a_refusal_names_each_field_and_its_rule(handle: Handle, body: dict[str, Any], rules: dict[str, str]) -> None:
    sent = {**({"url": "https://example.com/", "eventTypes": ["job.failed"]} if body else {}), **body}
    error = envelope(handle("create_webhook.valid", body=json.dumps(sent)), 422)["error"]
    found = {each["field"]: each["rule"] for each in error["details"]["fields"]}
    assert found.keys() == rules.keys()
    assert all(found[field].startswith(rule) for field, rule in rules.items()), found


@pytest.mark.parametrize(
    ("body", "field"),
    [({"graceSeconds": -1}, "graceSeconds"), ({"graceSeconds": 86_401}, "graceSeconds"), ({"grace": 1}, "grace")],
)
def test_a_wrong_rotation_is_refused(handle: Handle, body: dict[str, Any], field: str) -> None:
    error = envelope(handle("rotate_webhook_secret.valid", body=json.dumps(body)), 422)["error"]
    assert [each["field"] for each in error["details"]["fields"]] == [field]
