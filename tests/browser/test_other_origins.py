"""A page of another origin cannot read a byte from any port of the stack, nor change anything there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.model.control import ModelControl
from local.stack import LocalStack
from tests.browser.other_origin import served
from tests.browser.tab import Tab

# Reads in every way that a page has. A way that reads nothing returns null.
ATTEMPTS = """async (url) => {
  const read = async (options) => {
    try { return (await (await fetch(url, options)).text()) || null; } catch { return null; }
  };
  const loaded = (tag, address) => new Promise((resolve) => {
    const element = document.createElement(tag);
    element.onload = () => resolve(`${tag} loaded`);
    element.onerror = () => resolve(null);
    element[address] = url;
    if (tag === "link") element.rel = "stylesheet";
    document.head.append(element);
  });
  const streamed = () => new Promise((resolve) => {
    const source = new EventSource(url);
    source.onopen = () => { source.close(); resolve("event source opened"); };
    source.onerror = () => { source.close(); resolve(null); };
  });
  const framed = () => new Promise((resolve) => {
    const frame = document.createElement("iframe");
    frame.onload = () => { try { resolve(frame.contentDocument?.body.textContent || null); } catch { resolve(null); } };
    frame.src = url;
    document.body.append(frame);
  });
  return [
    await read({}),
    await read({ mode: "no-cors" }),
    await read({ method: "POST", body: "{}" }),
    await read({ method: "POST", body: "{}", headers: { "Content-Type": "application/json" } }),
    await read({ headers: { Authorization: "Bearer x" } }),
    await read({ method: "POST", body: "{}", headers: {
      "X-Amz-Target": "secretsmanager.ListSecrets", "Content-Type": "application/x-amz-json-1.1" } }),
    await loaded("script", "src"),
    await loaded("link", "href"),
    await streamed(),
    await framed(),
  ].filter((each) => each !== null);
}"""


@pytest.fixture
def evil(tmp_path: Path, tab: Tab) -> Iterator[Tab]:
    """A tab with an empty page of an origin for which the stack was not started."""
    (tmp_path / "index.html").write_text("<!doctype html><title>evil</title><body>")
    tab.expect_complaints("")
    with served(tmp_path) as origin:
        tab.page.goto(origin)
        yield tab


def paths_of(stack: LocalStack) -> dict[str, list[str]]:
    return {
        stack.api_url: ["/", "/jobs", "/console/config.json", "/console/static/millrace.js", "/_millrace/processes"],
        stack.issuer_url: ["/token", "/authorize", "/.well-known/openid-configuration"],
        stack.stream_url: ["/healthz", "/jobs/job_01jd8x2v5n7k3q9w4t6y8z0abc/stream"],
        stack.aws_url: ["/", "/moto-api/data.json", "/_millrace/accesses"],
        stack.model_url.removesuffix("/v1"): ["/v1/models", "/_requests", "/_script"],
    }


def test_a_page_of_another_origin_reads_nothing_from_any_port(stack: LocalStack, evil: Tab) -> None:
    for base, paths in paths_of(stack).items():
        names = [base, base.replace("127.0.0.1", "localhost")]
        for url in [name + path for name in names for path in paths]:
            assert evil.evaluate(ATTEMPTS, url) == [], url


def test_a_page_of_another_origin_changes_nothing(stack: LocalStack, evil: Tab) -> None:
    script = f"{stack.model_url.removesuffix('/v1')}/_script"
    rule = '{"behaviour": {"status": 500}}'

    evil.evaluate("([url, body]) => fetch(url, { method: 'POST', mode: 'no-cors', body })", [script, rule])

    with ModelControl(stack.model_url) as model:
        model.script(match="nothing has this text")
        status = evil.context.request.post(
            f"{stack.model_url}/chat/completions",
            headers={"Authorization": "Bearer x"},
            data={"model": "scripted-1", "messages": [{"role": "user", "content": "Hello"}]},
        ).status
        model.clear()
    assert status == 200


def test_a_name_that_was_made_to_lead_to_this_machine_reads_only_the_refusal(stack: LocalStack, tab: Tab) -> None:
    """`rebound.localhost` leads to this machine, and is no name of it: as a name does after DNS rebinding."""
    tab.expect_complaints("")
    for base, paths in paths_of(stack).items():
        parts = urlsplit(base)
        response = tab.page.goto(f"http://rebound.localhost:{parts.port}{parts.path}{paths[0]}")
        assert response is not None
        assert response.status == 403
        assert "Host must be one of" in response.text()
