"""Writes per user and operation: counted before the operation runs, and refused above the limit with a time to wait."""

from __future__ import annotations

import asyncio
import functools
import importlib
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from shared.errors import RateLimitExceeded
from shared.web.app import create_app
from shared.web.auth import CountWrite, CurrentUser
from tests.fakes.core import FakeCore
from tests.layout import APPS, module_of

READS = {"GET", "HEAD"}


class TestCounter:
    def test_each_user_and_each_operation_has_a_separate_limit(self) -> None:
        core = FakeCore()
        for _ in range(core.ports.writes_per_minute):
            core.count_write("update_agent", "ada")
        with pytest.raises(RateLimitExceeded, match="at most 30 such requests per minute; try again in 60 s"):
            core.count_write("update_agent", "ada")
        core.count_write("update_agent", "bob")
        core.count_write("cancel_job", "ada")

    def test_a_minute_after_the_first_write_another_one_is_allowed(self) -> None:
        core = FakeCore()
        count = functools.partial(core.count_write, "update_agent")
        count("ada")
        core.clock.advance(20)
        for _ in range(core.ports.writes_per_minute - 1):
            count("ada")
        with pytest.raises(RateLimitExceeded) as refusal:
            count("ada")
        assert refusal.value.retry_after == 40
        core.clock.advance(40)
        count("ada")


def asked(app: FastAPI, method: str) -> httpx.Response:
    """Return the response to a request of ada, as behind API Gateway."""
    context = {"authorizer": {"jwt": {"claims": {"sub": "ada"}}}}

    async def behind_gateway(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "aws.event": {"requestContext": context}}, receive, send)

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(behind_gateway)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.request(method, "/things")

    return asyncio.run(send())


def app_with(count_write: CountWrite | None) -> FastAPI:
    app = create_app("things", count_write=count_write)

    @app.api_route("/things", methods=["GET", "DELETE"])
    async def things(user: CurrentUser) -> dict[str, Any]:
        return {"user": user}

    return app


class TestOperation:
    def test_a_write_above_the_limit_is_refused_with_the_seconds_to_wait(self) -> None:
        core = FakeCore()
        app = app_with(functools.partial(core.count_write, "things"))
        assert {asked(app, "DELETE").status_code for _ in range(core.ports.writes_per_minute)} == {200}
        refused = asked(app, "DELETE")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
        assert refused.json()["error"]["code"] == "RATE_LIMIT_EXCEEDED"
        assert asked(app, "GET").status_code == 200

    def test_an_operation_that_writes_without_a_limit_does_not_work(self) -> None:
        assert asked(app_with(None), "GET").status_code == 200
        assert asked(app_with(None), "DELETE").status_code == 500


@pytest.mark.parametrize("function", [app.parent.name for app in APPS])
def test_every_operation_that_writes_has_a_limit(function: str) -> None:
    app = getattr(importlib.import_module(module_of(function)), "app", None)
    if not isinstance(app, FastAPI):
        return
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    writes = [route for route in routes if (route.methods or set()) - READS]
    assert (app.state.count_write is None) == (not writes)
    assert all(429 in route.responses for route in writes)
