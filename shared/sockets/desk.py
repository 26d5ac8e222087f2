"""Answer the messages that clients send on connections of the channel."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ValidationError

from shared.channel.connections import Connection, ConnectionRegistry, MustClose
from shared.channel.messages import MAX_CLIENT_BYTES, ChannelError, Closing, Ping, Subscribe, Unsubscribe
from shared.channel.posts import ChannelPosts, ConnectionGone
from shared.errors import (
    ErrorCode,
    FieldIssue,
    InvalidInput,
    MalformedRequest,
    MillraceError,
    PayloadTooLarge,
    TransientFault,
)
from shared.observability.log import log
from shared.rules import issues_of
from shared.sockets.events import Event, connection_id_of, text_of

M = TypeVar("M", Subscribe, Unsubscribe, Ping)

RETRY_SECONDS = 1
"""When a client may send a message again that met a fault of the storage."""


class MessageDesk:
    """Answer the messages of clients: everything that the answers have in common."""

    def __init__(self, registry: ConnectionRegistry, posts: ChannelPosts) -> None:
        self._registry = registry
        self._posts = posts

    def serve(self, event: Event, kind: type[M], act: Callable[[Connection, M], None]) -> dict[str, Any]:
        """Read the event's message as this kind, and call `act` with it. Send every error to the client."""
        return self._serve(event, lambda connection: act(connection, read_message(kind, text_of(event))))

    def refuse(self, event: Event) -> dict[str, Any]:
        """Tell the client what is wrong with a message whose type has no route."""

        def act(_: Connection) -> None:
            raise refusal_of(text_of(event))

        return self._serve(event, act)

    def _serve(self, event: Event, act: Callable[[Connection], None]) -> dict[str, Any]:
        connection_id = connection_id_of(event)
        try:
            try:
                act(self._registry.admit(connection_id))
            except MillraceError as error:
                self._posts.post(connection_id, _error(event, error).model_dump_json())
        except MustClose as closing:
            self._close(connection_id, Closing(reason=closing.reason))
        except ConnectionGone:
            self._registry.remove(connection_id)
        except Exception as error:  # noqa: BLE001 - no exception's text may reach the client
            log.defect("message broke", error, connection_id=connection_id)
            self._say_broken(event, connection_id)
            return {"statusCode": 500}
        return {"statusCode": 200}

    def _close(self, connection_id: str, closing: Closing) -> None:
        try:
            self._posts.post(connection_id, closing.model_dump_json())
            self._posts.close(connection_id)
        except ConnectionGone:
            pass
        self._registry.remove(connection_id)

    def _say_broken(self, event: Event, connection_id: str) -> None:
        message = "an internal error occurred; try again"
        broken = ChannelError(
            id=_id_in(text_of(event)), code=ErrorCode.INTERNAL_ERROR, message=message, retry_after=RETRY_SECONDS
        )
        try:
            self._posts.post(connection_id, broken.model_dump_json())
        except (ConnectionGone, TransientFault):
            return


def read_message(kind: type[M], text: str) -> M:
    """Return the client's message.

    Raises:
        PayloadTooLarge: the message has more than MAX_CLIENT_BYTES.
        MalformedRequest: it is not JSON.
        InvalidInput: a field breaks its rule.
    """
    _check_size(text)
    try:
        return kind.model_validate_json(text, by_alias=True, by_name=False)
    except ValidationError as error:
        found = error.errors(include_url=False)
        if not found[0]["loc"]:  # it is about the whole message, which is no JSON or no text
            raise MalformedRequest("the message is not valid JSON; send one JSON object") from None
        raise InvalidInput(issues_of(found)) from None


def refusal_of(text: str) -> MillraceError:
    """Return what is wrong with a message that has none of the types."""
    types = ", ".join(str(each.model_fields["type"].default) for each in (Subscribe, Unsubscribe, Ping))
    try:
        _check_size(text)
        message = json.loads(text)
    except (ValueError, RecursionError):
        return MalformedRequest("the message is not valid JSON; send one JSON object")
    except PayloadTooLarge as error:
        return error
    if not isinstance(message, dict):
        return MalformedRequest("the message is not a JSON object; send one JSON object")
    rule = f"must be one of: {types}" if "type" in message else f"is required; it is one of: {types}"
    return InvalidInput([FieldIssue("type", rule)])


def _check_size(text: str) -> None:
    if len(text.encode(errors="surrogatepass")) > MAX_CLIENT_BYTES:
        raise PayloadTooLarge(f"the message is too large; send at most {MAX_CLIENT_BYTES} bytes")


def _id_in(text: str) -> str | None:
    """Return the id of a message, also if the message breaks a rule; None if it has none that is a text."""
    try:
        match json.loads(text):
            case {"id": str(message_id)}:
                return message_id[:64]
    except (ValueError, RecursionError):
        pass
    return None


def _error(event: Event, error: MillraceError) -> ChannelError:
    told: int | None = getattr(error, "retry_after", None)
    wait = told if told is not None or not error.retryable else RETRY_SECONDS
    return ChannelError(id=_id_in(text_of(event)), code=error.code, message=error.message, retry_after=wait)
