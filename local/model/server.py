"""A scripted model that speaks the OpenAI protocol: it writes plausible outputs, and fails when a script says so.

    python -m local.model.server --port 0

prints `{"port": …, "url": …}` first. It serves `/v1/chat/completions`, `/v1/responses`, `/v1/models` and `/healthz`;
`POST` and `DELETE /_script` for rules (see `local/model/behaviour.py`), and `POST /_release` for responses that pause;
`GET` and `DELETE /_requests` for the records of its requests. A prompt may contain a directive instead of a rule:
`[[script: status=429, times=1]]`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import socket
from collections.abc import Sequence
from dataclasses import asdict

from pydantic import ValidationError

from local.model.behaviour import Release, Rule
from local.model.completions import ChatCompletions
from local.model.connection import HttpConnection, HttpRequest
from local.model.directives import UnreadableDirective
from local.model.documents import UnsupportedSchema
from local.model.errors import BadRequest, send_error
from local.model.requests import MODEL, Requests
from local.model.responses import Responses
from local.web_guard import WebGuard


class ModelServer:
    """Serves on a loopback port, in the running event loop, to programs only. The default pace is in milliseconds."""

    def __init__(self, *, first_token_ms: float = 50, token_ms: float = 5) -> None:
        self._requests = Requests(first_token_ms, token_ms)
        self._completions = ChatCompletions(self._requests)
        self._responses = Responses(self._requests)
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0, *, listener: socket.socket | None = None) -> int:
        """Start to serve, and return the port. A `listener`, a listening socket, replaces `port`."""
        listener = listener or socket.create_server(("127.0.0.1", port))
        bound: int = listener.getsockname()[1]
        guard = WebGuard(bound)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: HttpConnection(self._handle, guard), sock=listener)
        return bound

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _handle(self, request: HttpRequest, connection: HttpConnection) -> None:
        try:
            await self._route(request, connection)
        except (BadRequest, UnreadableDirective, UnsupportedSchema, ValidationError) as error:
            send_error(connection, 400, str(error))

    async def _route(self, request: HttpRequest, connection: HttpConnection) -> None:
        if request.path.startswith("/v1/"):
            await self._route_model(request, connection)
            return
        match (request.method, request.path):
            case ("GET", "/healthz"):
                connection.send_json(200, {"status": "ok", "model": MODEL})
            case ("POST", "/_script"):
                self._requests.script.add(Rule.model_validate_json(request.body))
                connection.send_json(200, {"status": "ok"})
            case ("DELETE", "/_script"):
                self._requests.script.clear()
                connection.send_json(200, {"status": "ok"})
            case ("POST", "/_release"):
                self._requests.script.release(Release.model_validate_json(request.body).match)
                connection.send_json(200, {"status": "ok"})
            case ("GET", "/_requests"):
                connection.send_json(200, {"requests": [asdict(record) for record in self._requests.records]})
            case ("DELETE", "/_requests"):
                self._requests.records.clear()
                connection.send_json(200, {"status": "ok"})
            case _:
                _send_unknown(request, connection)

    async def _route_model(self, request: HttpRequest, connection: HttpConnection) -> None:
        if not _authorized(request):
            send_error(connection, 401, "You didn't provide an API key. The scripted model accepts any key.")
            return
        match (request.method, request.path):
            case ("POST", "/v1/chat/completions"):
                await self._completions.create(request, connection)
            case (_, path) if path == "/v1/responses" or path.startswith("/v1/responses/"):
                await self._responses.handle(request, connection)
            case ("GET", "/v1/models"):
                models = [{"id": MODEL, "object": "model", "created": 0, "owned_by": "millrace-scripted"}]
                connection.send_json(200, {"object": "list", "data": models})
            case _:
                _send_unknown(request, connection)


def _send_unknown(request: HttpRequest, connection: HttpConnection) -> None:
    send_error(connection, 404, f"Unknown request URL: {request.method} {request.path}.")


def _authorized(request: HttpRequest) -> bool:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and bool(key.strip())


async def serve(*, port: int, first_token_ms: float, token_ms: float, listener: socket.socket | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    server = ModelServer(first_token_ms=first_token_ms, token_ms=token_ms)
    bound = await server.start(port, listener=listener)
    print(json.dumps({"port": bound, "url": f"http://127.0.0.1:{bound}/v1", "model": MODEL}), flush=True)
    await stopped.wait()
    server.close()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m local.model.server", description="Run the scripted model.")
    parser.add_argument("--port", type=int, default=0, help="default: a free port")
    parser.add_argument("--fd", type=int, help="the descriptor of a listening socket, instead of a port")
    parser.add_argument("--first-token-ms", type=float, default=50)
    parser.add_argument("--token-ms", type=float, default=5)
    options = parser.parse_args(arguments)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            serve(
                port=options.port,
                first_token_ms=options.first_token_ms,
                token_ms=options.token_ms,
                listener=None if options.fd is None else socket.socket(fileno=options.fd),
            )
        )


if __name__ == "__main__":
    main()
