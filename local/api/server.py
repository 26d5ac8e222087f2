"""The process of the function host: serves invocations, the APIs of the functions, and the token issuer."""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import os
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from local.api.channel import Channel
from local.api.cors import CorsMiddleware
from local.api.gateway import INTEGRATION_TIMEOUT, Gateway
from local.api.issuer import PREFIX, Issuer
from local.api.websocket_gateway import LARGEST_FRAME, LARGEST_MESSAGE
from local.asgi_server import serve
from local.aws import signing
from local.aws.credentials import aws_environment
from local.deployment import Deployment
from local.lambda_ import schedule
from local.lambda_.functions import FunctionHost, Outcome, ThreadHost
from local.lambda_.runtime_api import ProcessHost
from local.template.template import Function

_INVOCATIONS = "/2015-03-31/functions/"
_CONTROL = "/_millrace/"


class Application:
    """Passes each request to the part that serves its path."""

    def __init__(
        self,
        host: FunctionHost,
        gateway: ASGIApp,
        issuer: ASGIApp,
        threads: ThreadPoolExecutor,
        channel: Channel | None,
    ) -> None:
        self._host = host
        self._gateway = gateway
        self._issuer = issuer
        self._threads = threads
        self._channel = channel

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if self._channel is not None and self._channel.serves(scope):
            await self._channel(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(path, scope, receive, send)

    async def _serve(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        if path.startswith(_INVOCATIONS):
            await self._invoke(scope, receive, send)
        elif path.startswith(f"{PREFIX}/"):
            await self._issuer(scope, receive, send)
        elif path == f"{_CONTROL}processes":
            await _send_json(send, self._host.processes())
        elif path == f"{_CONTROL}invocations":
            await _send_json(send, self._host.invocations(Request(scope).query_params.get("containing", "")))
        elif path == f"{_CONTROL}abandon":
            await _send_json(send, self._host.abandon(Request(scope).query_params.get("requestId", "")))
        elif path == f"{_CONTROL}healthz":
            await _send_json(send, {"status": "ok"})
        else:
            await self._gateway(scope, receive, send)

    async def _invoke(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        name = unquote(scope["raw_path"].decode("latin-1")).removeprefix(_INVOCATIONS).removesuffix("/invocations")
        run = functools.partial(
            self._host.invoke, name, await request.body(), trace_id=request.headers.get("x-amzn-trace-id")
        )
        running = asyncio.get_running_loop().run_in_executor(self._threads, run)
        if request.headers.get("x-amz-invocation-type") == "Event":
            await _send(send, 202, [], b"")
            return
        outcome = await running
        await _send(send, outcome.status, outcome.headers(), outcome.payload)


async def _send_json(send: Send, document: Any) -> None:
    await _send(send, 200, [("Content-Type", "application/json")], json.dumps(document).encode())


async def _send(send: Send, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    raw = [(name.encode(), value.encode()) for name, value in (*headers, ("Content-Length", str(len(body))))]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _give_event_loop() -> None:
    """Give the thread an event loop, which Mangum needs: on Lambda a handler runs on the main thread, which has one."""
    asyncio.set_event_loop(asyncio.new_event_loop())


def _invoker(host: FunctionHost, threads: ThreadPoolExecutor) -> Callable[[Function, bytes, str], Awaitable[Outcome]]:
    def invoke(function: Function, event: bytes, trace_id: str) -> Awaitable[Outcome]:
        run = functools.partial(host.invoke, function.name, event, trace_id=trace_id)
        return asyncio.get_running_loop().run_in_executor(threads, run)

    return invoke


def main(arguments: list[str] | None = None) -> None:
    """`python -m local.api.server --deployment FILE --fd N`; `--fd` is the descriptor of a listening socket."""
    parser = argparse.ArgumentParser(prog="python -m local.api.server", description=__doc__)
    parser.add_argument("--deployment", type=Path, required=True)
    parser.add_argument("--fd", type=int, required=True)
    options = parser.parse_args(arguments)
    deployment = Deployment.load(options.deployment)
    os.environ.update(aws_environment(deployment.aws_url))
    signing.install()
    host = ProcessHost(deployment) if deployment.mode == "processes" else ThreadHost(deployment)
    host.warm()
    if deployment.schedules:
        schedule.start(deployment.template.schedules, host.invoke)
    authorizer = deployment.template.authorizer
    issuer = Issuer(
        f"{deployment.api_url}{PREFIX}",
        "millrace" if authorizer is None else authorizer.audiences[0],
        origins=deployment.origins,
        key_file=options.deployment.with_name("issuer.pem"),
    )
    threads = ThreadPoolExecutor(max_workers=256, thread_name_prefix="lambda", initializer=_give_event_loop)
    invoke = _invoker(host, threads)
    time_limit = INTEGRATION_TIMEOUT * deployment.allowance
    gateway = CorsMiddleware(
        Gateway(deployment.template, issuer, invoke, time_limit=time_limit), deployment.template.cors
    )
    channel = Channel.of(deployment.template, invoke, deployment.allowance)
    application = Application(host, gateway, issuer.application(), threads, channel)
    try:
        serve(
            application,
            socket.socket(fileno=options.fd),
            origins=deployment.origins,
            programs_only=(
                _INVOCATIONS,
                _CONTROL,
                f"{PREFIX}/token",
                *Channel.programs_only(deployment.template),
            ),
            websocket_limits=(LARGEST_MESSAGE, LARGEST_FRAME),
            # Moto keeps connections open. If this server closed an idle one, moto would have to repeat a request.
            keep_alive_seconds=3600,
        )
    finally:
        host.close()


if __name__ == "__main__":
    main()
