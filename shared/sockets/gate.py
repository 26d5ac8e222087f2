"""Decide who may open a connection of the channel, and open it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.channel.connections import CONNECTION_SECONDS, ConnectionRegistry
from shared.channel.messages import SUBPROTOCOL, TICKET_PREFIX
from shared.clock import Clock
from shared.errors import Forbidden, RequestRefused, TransientFault, Unauthenticated
from shared.identity.tickets import ConnectionTickets
from shared.identity.tokens import TokenVerifier
from shared.observability.log import log
from shared.sockets.events import Event, connection_id_of, headers_of, subprotocols_of

MAX_TAB = 64
"""The longest name of a tab."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who opens a connection: the user, the tab, and when the token expires (Unix seconds)."""

    owner: str
    tab: str
    until: float


class ConnectionGate:
    """Decide who may open a connection: by a bearer token, or by a ticket that a browser offers as a subprotocol."""

    def __init__(
        self,
        *,
        tokens: Callable[[], TokenVerifier],
        tickets: Callable[[], ConnectionTickets],
        origins: Sequence[str],
        clock: Clock,
    ) -> None:
        """`origins` are those whose pages may connect; "*" allows all. `tokens`, `tickets` are called when needed."""
        self._tokens = tokens
        self._tickets = tickets
        self._origins = origins
        self._clock = clock

    async def authorize(self, event: Event) -> dict[str, Any]:
        """Return the policy with which API Gateway lets the client in, with the visitor as its context.

        A refusal is a policy too, which API Gateway answers with 403: it would need a failed invocation to answer 401.

        Raises TransientFault if the token or the ticket could not be checked.
        """
        try:
            visitor = await self._visitor(event)
        except RequestRefused as refusal:
            log.warning("connection refused", reason=refusal.message)
            return _policy(event, "Deny", "nobody", {})
        context = {"owner": visitor.owner, "tab": visitor.tab, "until": str(int(visitor.until))}
        return _policy(event, "Allow", visitor.owner, context)

    async def _visitor(self, event: Event) -> Visitor:
        headers = headers_of(event)
        origin = headers.get("origin")
        if origin is not None and "*" not in self._origins and origin not in self._origins:
            raise Forbidden("pages of this origin may not connect; add it to CorsOrigins")
        last = self._clock().timestamp() + CONNECTION_SECONDS
        token = _bearer(headers)
        if token is not None:
            verified = await self._tokens().verified(token)
            tab = (event.get("queryStringParameters") or {}).get("tab") or connection_id_of(event)
            return Visitor(verified.subject, str(tab)[:MAX_TAB], min(verified.expires_at, last))
        text = next((each for each in subprotocols_of(event) if each.startswith(TICKET_PREFIX)), None)
        if text is None:
            raise Unauthenticated(
                "the request has no token and no ticket; send a token in the Authorization header, as Bearer, "
                f"or offer the subprotocols {SUBPROTOCOL} and {TICKET_PREFIX}<ticket>"
            )
        ticket = self._tickets().use(text.removeprefix(TICKET_PREFIX))
        return Visitor(ticket.owner, ticket.tab, min(ticket.until, last))


def _policy(event: Event, effect: str, principal: str, context: dict[str, str]) -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": principal, "policyDocument": document, "context": context}


def _bearer(headers: Mapping[str, str]) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def open_connection(event: Event, registry: ConnectionRegistry) -> dict[str, Any]:
    """Open the connection of a client that was let in, and return the answer to its handshake.

    A refusal has the status and the text of the HTTP API; a browser shows neither to the page.
    """
    context = event["requestContext"]["authorizer"]
    offered = subprotocols_of(event)
    if offered and SUBPROTOCOL not in offered:
        return _refusal(400, f"none of the offered subprotocols is known; offer {SUBPROTOCOL}")
    owner, tab, until = str(context["owner"]), str(context["tab"]), float(context["until"])
    try:
        registry.open(connection_id_of(event), owner=owner, tab=tab, until=until)
    except RequestRefused as refusal:
        log.warning("connection refused", reason=refusal.message)
        return _refusal(429, refusal.message)
    except TransientFault as fault:
        return _refusal(503, fault.message)
    answer: dict[str, Any] = {"statusCode": 200}
    if offered:
        answer["headers"] = {"Sec-WebSocket-Protocol": SUBPROTOCOL}
    return answer


def _refusal(status: int, message: str) -> dict[str, Any]:
    return {"statusCode": status, "body": message}
