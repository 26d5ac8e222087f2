"""The scripted model's Responses API, in OpenAI's form: a background response continues without a connection."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Any, Final

from local.model.behaviour import Behaviour
from local.model.connection import HttpConnection, HttpRequest
from local.model.conversation import response_messages
from local.model.directives import UnreadableDirective
from local.model.documents import UnsupportedSchema
from local.model.errors import BadRequest, send_error, send_scripted_error
from local.model.output import Output
from local.model.prompt import Prompt
from local.model.requests import RequestRecord, Requests, json_body, read_prompt
from local.model.response import ScriptedResponse

_KEPT: Final = 200
_KEPT_SECONDS: Final = 600.0  # as long as OpenAI: https://developers.openai.com/api/docs/guides/background


class Responses:
    """Serves `/v1/responses`. It keeps the newest responses for some time; an older one is stopped and deleted."""

    def __init__(self, requests: Requests, *, most: int = _KEPT, seconds: float = _KEPT_SECONDS) -> None:
        self._requests = requests
        self._most = most
        self._seconds = seconds
        self._kept: OrderedDict[str, ScriptedResponse] = OrderedDict()

    async def handle(self, request: HttpRequest, connection: HttpConnection) -> None:
        """Serve one request. Raises BadRequest, UnreadableDirective and UnsupportedSchema."""
        self._forget()
        _, _, rest = request.path.partition("/v1/responses/")
        response_id, _, action = rest.partition("/")
        response = self._kept.get(response_id)
        match (request.method, action):
            case ("POST", "") if not response_id:
                await self._create(request, connection)
            case ("GET" | "DELETE", "") | ("POST", "cancel") if response is None:
                send_error(connection, 404, f"Response with id '{response_id}' not found.", code="response_not_found")
            case ("GET", "") if response is not None:
                await _retrieve(response, request, connection)
            case ("POST", "cancel") if response is not None:
                _cancel(response, connection)
            case ("DELETE", "") if response is not None:
                self._kept.pop(response_id).stop("deleted")
                connection.send_json(200, {"id": response_id, "object": "response", "deleted": True})
            case _:
                send_error(connection, 404, f"Unknown request URL: {request.method} {request.path}.")

    async def _create(self, request: HttpRequest, connection: HttpConnection) -> None:
        body = json_body(request.body)
        prompt = await read_prompt(_prompt, request, body)
        record, behaviour = self._requests.take("responses", prompt)
        if behaviour.status is not None:
            with record.recording_end(behaviour):
                send_scripted_error(connection, behaviour, behaviour.status)
            return
        response = ScriptedResponse(
            record=record,
            body=body,
            output=_output(record, prompt, behaviour),
            behaviour=behaviour,
            pace=self._requests.pace(prompt, behaviour),
            background=bool(body.get("background")),
        )
        self._kept[record.id] = response
        response.generation = asyncio.get_running_loop().create_task(response.generate())
        try:
            await _respond(response, connection, streamed=bool(body.get("stream")))
        except asyncio.CancelledError:
            if not response.background:
                response.stop("client_disconnected")
            raise

    def _forget(self) -> None:
        oldest = time.time() - self._seconds
        while self._kept:
            response_id, response = next(iter(self._kept.items()))
            if len(self._kept) <= self._most and response.record.arrived_at >= oldest:
                return
            self._kept.pop(response_id).stop("forgotten")


async def _respond(response: ScriptedResponse, connection: HttpConnection, *, streamed: bool) -> None:
    if streamed:
        await response.watch(connection, None)
        return
    if not response.background:
        await response.wait_until_finished()
    if response.cut:
        connection.cut()
    else:
        connection.send_json(200, response.document())


async def _retrieve(response: ScriptedResponse, request: HttpRequest, connection: HttpConnection) -> None:
    if request.query.get("stream", "").lower() != "true":
        connection.send_json(200, response.document())
        return
    if response.behaviour.resume_status is not None:
        send_scripted_error(connection, response.behaviour, response.behaviour.resume_status)
    elif not response.background:
        raise BadRequest("Only responses created with background=true can be streamed again.")
    else:
        after = request.query.get("starting_after")
        if after is not None and not after.isdecimal():
            raise BadRequest("Invalid 'starting_after': expected a sequence number.")
        await response.watch(connection, None if after is None else int(after))


def _cancel(response: ScriptedResponse, connection: HttpConnection) -> None:
    if not response.background:
        raise BadRequest("Responses can only be cancelled if they were created with background=true.")
    response.stop("cancelled")
    connection.send_json(200, response.document())


def _output(record: RequestRecord, prompt: Prompt, behaviour: Behaviour) -> Output:
    try:
        return Output.of(prompt, behaviour)
    except (BadRequest, UnreadableDirective, UnsupportedSchema):
        record.end("rejected")
        raise


def _prompt(body: dict[str, Any]) -> Prompt:
    return Prompt.of(
        body,
        response_messages(body.get("input"), body.get("instructions")),
        (body.get("text") or {}).get("format") or {},
        body.get("max_output_tokens"),
        nested_tools=False,
    )
