"""What holds for every operation that the API document lists, so that a new one cannot forget it."""

from __future__ import annotations

import http.client
import json
import re
from urllib.parse import urlsplit

import pytest

from local.stack import ROOT
from tests.api_user import ApiUser, broken_rules, refusal
from tests.patience import PATIENCE

STREAM = "/jobs/{jobId}/stream"
DOCUMENT = json.loads((ROOT / "docs/api/openapi.json").read_text())
OPERATIONS = [
    (method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item if "responses" in item[method]
]
IDS = {"jobId": "job_01jd8x2v5n7k3q9w4t6y8z0abc", "runId": "run_01jd8x2v5n7k3q9w4t6y8z0abc"}
every_operation = pytest.mark.parametrize(("method", "path"), OPERATIONS)


def url_of(user: ApiUser, path: str) -> str:
    base = user.stack.stream_url if path == STREAM else user.stack.api_url
    return base + re.sub(r"{(\w+)}", lambda found: IDS.get(found[1], "agt_01jd8x2v5n7k3q9w4t6y8z0abc"), path)


@every_operation
def test_every_response_stays_out_of_caches_and_keeps_its_type(user: ApiUser, method: str, path: str) -> None:
    url = url_of(user, path)
    responses = [
        user.api.request(method, url),
        user.api.request(method, url, headers={"Authorization": "Bearer x"}),
        user.api.request(method, f"{url}/nowhere"),
        user.api.request(method, url, content=b"{", headers={"Content-Type": "application/json"}),
    ]
    for response in responses:
        assert response.headers["cache-control"] == "no-store", response.text
        assert response.headers["x-content-type-options"] == "nosniff", response.text


@every_operation
def test_an_unknown_query_parameter_is_refused(user: ApiUser, method: str, path: str) -> None:
    rules = broken_rules(user.api.request(method, url_of(user, path), params={"limt": "3"}))
    assert rules["limt"].startswith("is not a query parameter of this operation; ")
    assert rules["limt"].endswith("remove it")


@pytest.mark.parametrize("host", ["evil:81/x?", "evil.example", "127.0.0.1:81", "[::1", "a b"])
def test_a_host_that_is_not_the_apis_builds_no_url(user: ApiUser, host: str) -> None:
    parts = urlsplit(user.stack.api_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    connection.request("GET", "/jobs", headers={"Host": host, "Authorization": f"Bearer {user.token}"})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    assert response.status in {400, 403}
    assert b"evil" not in body


def test_an_id_token_is_refused_by_the_api_and_by_the_stream(user: ApiUser) -> None:
    headers = {"Authorization": f"Bearer {user.stack.token(user.name, token_use='id')}"}
    refusal(user.api.get("/jobs", headers=headers), 401, "UNAUTHENTICATED")
    refusal(user.streams.get(f"/jobs/{IDS['jobId']}/stream", headers=headers), 401, "UNAUTHENTICATED")
