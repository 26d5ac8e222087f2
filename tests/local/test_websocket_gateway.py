"""The local WebSocket API, with the PyPI package websockets as its client and botocore as the client of `@connections`.

The functions are played by the test: each connection's behaviour is decided by what it sends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
import uvicorn
import websockets
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from local.api.channel import Channel
from local.api.websocket_gateway import IDLE_SECONDS, LARGEST_FRAME, LARGEST_MESSAGE, LIFE_SECONDS
from local.asgi_server import application_config
from local.lambda_.functions import Outcome
from local.template.template import Function, Template
from tests.patience import PATIENCE

TEMPLATE = Template(Path(__file__).parent / "websocket/template.yaml")
EVENTS = {"$connect": "ConnectFunction", "$disconnect": "DisconnectFunction", "echo": "EchoFunction"}
UNKNOWN = "AAAAAAAAAAAAAAA="
ALLOW = "arn:aws:execute-api:us-east-1:123456789012:live/live/$connect"


def returned(result: Any) -> Outcome:
    return Outcome(200, json.dumps(result).encode(), "request")


def failing(message: str) -> Outcome:
    return Outcome(
        200, json.dumps({"errorType": "Exception", "errorMessage": message}).encode(), "request", "Unhandled"
    )


def policy(effect: str, resource: str = ALLOW, **context: Any) -> Outcome:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return returned({"principalId": "alice", "policyDocument": document, "context": context})


class Gateway:
    """The gateway on a port, with functions that return `results` by logical id and whose events are kept."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.events: dict[str, queue.Queue[dict[str, Any]]] = {}
        self.results: dict[str, Outcome] = {
            "AuthorizeFunction": policy("Allow", owner="alice", until=7, admin=True),
            "ConnectFunction": returned({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "millrace.v1"}}),
        }
        self.answers = threading.Event()
        self.answers.set()
        channel = Channel.of(TEMPLATE, self.invoke)
        assert channel is not None
        self.channel = channel

    async def invoke(self, function: Function, event: bytes, _trace_id: str) -> Outcome:
        self.of(function.logical_id).put(json.loads(event))
        await asyncio.to_thread(self.answers.wait)
        return self.results.get(function.logical_id, returned({"statusCode": 200}))

    def of(self, function: str) -> queue.Queue[dict[str, Any]]:
        return self.events.setdefault(function, queue.Queue())

    def event(self, function: str) -> dict[str, Any]:
        """Return the function's next event; wait for it."""
        return self.of(function).get(timeout=PATIENCE)

    def connect(
        self, *, protocols: tuple[str, ...] = ("millrace.v1", "ticket.1"), path: str = "/live"
    ) -> ClientConnection:
        return connect(
            f"ws://127.0.0.1:{self.port}{path}",
            subprotocols=[Subprotocol(each) for each in protocols] or None,
            open_timeout=PATIENCE,
            user_agent_header="test",
            proxy=None,
        )

    def connect_once(self) -> None:
        with self.connect():
            pass

    def api(self, role: str = "EchoFunctionRole", **config: Any) -> Any:
        return boto3.client(
            "apigatewaymanagementapi",
            endpoint_url=f"http://127.0.0.1:{self.port}/live",
            region_name="us-east-1",
            aws_access_key_id=role,
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE, **config),
        )

    def control(self, name: str, body: Any = None) -> Any:
        url = f"http://127.0.0.1:{self.port}/_millrace/channel/{name}"
        response = httpx.get(url) if body is None else httpx.post(url, json=body)
        return response.raise_for_status().json()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gateway = Gateway(listener.getsockname()[1])
        config = application_config(gateway.channel, websocket_limits=(LARGEST_MESSAGE, LARGEST_FRAME))
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="gateway")
        thread.start()
        try:
            yield gateway
        finally:
            gateway.answers.set()
            server.should_exit = True
            thread.join()


# ---- the handshake ---------------------------------------------------------------------------------------------------


def test_a_connection_is_authorized_and_then_connected(gateway: Gateway) -> None:
    with gateway.connect(path="/live?tab=1&tab=2") as client:
        assert client.subprotocol == "millrace.v1"

    asked, connected = gateway.event("AuthorizeFunction"), gateway.event("ConnectFunction")
    assert (asked["type"], asked["methodArn"]) == ("REQUEST", ALLOW)
    assert asked["headers"]["Sec-WebSocket-Protocol"] == "millrace.v1, ticket.1"
    assert "authorizer" not in asked["requestContext"]
    context = connected["requestContext"]
    assert context["authorizer"] == {"principalId": "alice", "owner": "alice", "until": "7", "admin": "true"}
    assert connected["multiValueQueryStringParameters"] == {"tab": ["1", "2"]}
    assert connected["queryStringParameters"] == {"tab": "2"}
    assert (context["routeKey"], context["eventType"], context["stage"]) == ("$connect", "CONNECT", "live")
    assert context["connectionId"] == asked["requestContext"]["connectionId"]
    assert context["identity"] == {"userAgent": "test", "sourceIp": "127.0.0.1"}
    assert context["domainName"] == f"127.0.0.1:{gateway.port}"
    assert context["connectedAt"] <= context["requestTimeEpoch"]


@pytest.mark.parametrize(
    ("function", "outcome", "status"),
    [
        ("AuthorizeFunction", failing("Unauthorized"), 401),
        ("AuthorizeFunction", policy("Deny"), 403),
        ("AuthorizeFunction", policy("Allow", resource=ALLOW.replace("$connect", "echo")), 403),
        ("AuthorizeFunction", failing("no such table"), 500),
        ("AuthorizeFunction", returned({"principalId": "alice"}), 500),
        ("AuthorizeFunction", policy("Allow", roles=["admin"]), 500),
        ("ConnectFunction", returned({"statusCode": 429}), 429),
        ("ConnectFunction", returned({"statusCode": 410, "body": "{}"}), 410),
        ("ConnectFunction", returned({"statusCode": 500}), 500),
        ("ConnectFunction", failing("no such table"), 502),
        ("ConnectFunction", returned("accepted"), 502),
    ],
)
def test_a_refused_handshake_has_an_http_status(gateway: Gateway, function: str, outcome: Outcome, status: int) -> None:
    gateway.results[function] = outcome

    with pytest.raises(websockets.InvalidStatus) as refused:
        gateway.connect()

    assert refused.value.response.status_code == status
    assert "message" in json.loads(refused.value.response.body or b"")
    assert gateway.control("connections") == []


def test_without_its_identity_source_a_connection_is_refused_before_the_authorizer_runs(gateway: Gateway) -> None:
    with pytest.raises(websockets.InvalidStatus, match="401"):
        gateway.connect(protocols=())
    assert gateway.of("AuthorizeFunction").empty()


def test_another_path_than_the_stage_is_forbidden(gateway: Gateway) -> None:
    with pytest.raises(websockets.InvalidStatus, match="403"):
        gateway.connect(path="/test")


def test_a_connection_without_a_subprotocol_in_the_response_has_none(gateway: Gateway) -> None:
    gateway.results["ConnectFunction"] = returned({"statusCode": 200})
    with pytest.raises(websockets.NegotiationError), gateway.connect() as client:
        raise websockets.NegotiationError(str(client.subprotocol))


# ---- messages --------------------------------------------------------------------------------------------------------


def test_a_message_runs_the_function_of_its_route_and_its_response_is_not_sent(gateway: Gateway) -> None:
    gateway.results["EchoFunction"] = returned({"statusCode": 200, "body": "not sent"})
    with gateway.connect() as client:
        client.send('{"type": "echo", "text": "ü"}')
        event = gateway.event("EchoFunction")
        gateway.api().post_to_connection(ConnectionId=event["requestContext"]["connectionId"], Data="ü".encode())
        assert client.recv(timeout=PATIENCE) == "ü"

    context = event["requestContext"]
    assert (event["body"], event["isBase64Encoded"]) == ('{"type": "echo", "text": "ü"}', False)
    assert (context["routeKey"], context["eventType"]) == ("echo", "MESSAGE")
    assert context["authorizer"]["owner"] == "alice"
    assert context["messageId"]
    assert "headers" not in event


def test_a_message_in_several_frames_is_one_message(gateway: Gateway) -> None:
    with gateway.connect() as client:
        client.send(['{"type": "echo",', f'"text": "{"x" * LARGEST_FRAME}'[:LARGEST_FRAME], '"}'])
        assert len(gateway.event("EchoFunction")["body"]) > LARGEST_FRAME


@pytest.mark.parametrize("text", ['{"type": "other"}', "no JSON", "[]", '{"type": "$connect"}', '{"type": {}}', ""])
def test_a_message_without_a_route_is_answered_as_forbidden(gateway: Gateway, text: str) -> None:
    with gateway.connect() as client:
        client.send(text)
        answer = json.loads(client.recv(timeout=PATIENCE))
    assert answer["message"] == "Forbidden"
    assert answer["connectionId"] == gateway.event("ConnectFunction")["requestContext"]["connectionId"]


def test_the_failure_of_a_function_is_reported_to_the_client(gateway: Gateway) -> None:
    gateway.results["EchoFunction"] = failing("no such table")
    with gateway.connect() as client:
        client.send('{"type": "echo"}')
        assert json.loads(client.recv(timeout=PATIENCE))["message"] == "Internal server error"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("x" * (LARGEST_FRAME + 1), 1009),
        (["x" * LARGEST_FRAME] * 5, 1009),
        (b"bytes", 1003),
    ],
    ids=["large-frame", "large-message", "binary"],
)
def test_a_message_that_api_gateway_does_not_take_closes_the_connection(
    gateway: Gateway, message: Any, code: int
) -> None:
    with gateway.connect() as client, contextlib.suppress(websockets.ConnectionClosed):
        client.send(message)  # fails if the gateway closes while it is sent
        client.recv(timeout=PATIENCE)
    assert client.close_code == code
    context = gateway.event("DisconnectFunction")["requestContext"]
    assert (context["eventType"], context["disconnectStatusCode"]) == ("DISCONNECT", code)


# ---- the end of a connection -----------------------------------------------------------------------------------------


def test_the_disconnect_event_says_how_the_client_closed(gateway: Gateway) -> None:
    with gateway.connect() as client:
        client.close(code=4001, reason="done")
    event = gateway.event("DisconnectFunction")
    context = event["requestContext"]
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (4001, "done")
    assert context["authorizer"]["owner"] == "alice"
    assert event["headers"]["X-Forwarded-For"] == "127.0.0.1"


def test_a_connection_that_breaks_is_reported_as_abnormal(gateway: Gateway) -> None:
    with gateway.connect() as client:
        client.socket.shutdown(socket.SHUT_RDWR)
        assert gateway.event("DisconnectFunction")["requestContext"]["disconnectStatusCode"] == 1006


def test_a_disconnect_event_can_be_lost(gateway: Gateway) -> None:
    gateway.control("disconnects", {"lost": True})
    with gateway.connect():
        connection_id = gateway.event("ConnectFunction")["requestContext"]["connectionId"]
    while connection_id in gateway.control("connections"):
        time.sleep(0.01)
    gateway.control("disconnects", {"lost": False})
    with gateway.connect():
        pass

    kept = gateway.event("DisconnectFunction")
    assert kept["requestContext"]["connectionId"] != connection_id


def closing(client: ClientConnection) -> int | None:
    with pytest.raises(websockets.ConnectionClosed) as closed:
        client.recv(timeout=PATIENCE)
    return None if closed.value.rcvd is None else closed.value.rcvd.code


def test_an_idle_connection_is_closed_after_ten_minutes(gateway: Gateway) -> None:
    with gateway.connect() as idle:
        idle_id = gateway.event("ConnectFunction")["requestContext"]["connectionId"]
        with gateway.connect() as sending, gateway.connect() as receiving:
            gateway.event("ConnectFunction")
            connection_id = gateway.event("ConnectFunction")["requestContext"]["connectionId"]
            gateway.control("clock", {"seconds": IDLE_SECONDS - 60})
            sending.send('{"type": "echo"}')
            gateway.event("EchoFunction")
            gateway.api().post_to_connection(ConnectionId=connection_id, Data=b"x")
            gateway.control("clock", {"seconds": 61})

            assert closing(idle) == 1001
            assert idle_id not in gateway.control("connections")
            assert len(gateway.control("connections")) == 2
            assert receiving.recv(timeout=PATIENCE) == "x"


def test_a_connection_lasts_two_hours(gateway: Gateway) -> None:
    with gateway.connect() as client:
        for _ in range(LIFE_SECONDS // 300 - 1):
            gateway.control("clock", {"seconds": 300})
            client.send('{"type": "echo"}')
            gateway.event("EchoFunction")
        assert len(gateway.control("connections")) == 1
        gateway.control("clock", {"seconds": 300})
        assert closing(client) == 1001


# ---- @connections ----------------------------------------------------------------------------------------------------


def failure(call: Any, **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as failed:
        call(**arguments)
    response = failed.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_functions_look_at_connections_and_close_them(gateway: Gateway) -> None:
    with gateway.connect() as client:
        connection_id = gateway.event("ConnectFunction")["requestContext"]["connectionId"]
        api = gateway.api("operator")
        found = api.get_connection(ConnectionId=connection_id)
        assert found["Identity"] == {"SourceIp": "127.0.0.1", "UserAgent": "test"}
        assert found["ConnectedAt"] <= found["LastActiveAt"]

        api.delete_connection(ConnectionId=connection_id)

        assert closing(client) == 1000
        for call in (api.get_connection, api.delete_connection):
            assert failure(call, ConnectionId=connection_id) == (410, "GoneException")


def test_a_post_that_cannot_be_delivered_is_refused_as_on_aws(gateway: Gateway) -> None:
    with gateway.connect() as client:
        connection_id = gateway.event("ConnectFunction")["requestContext"]["connectionId"]
        post = gateway.api().post_to_connection
        large = b"x" * (LARGEST_MESSAGE + 1)
        assert failure(post, ConnectionId=UNKNOWN, Data=b"x") == (410, "GoneException")
        assert failure(post, ConnectionId="no/id", Data=b"x") == (400, "BadRequestException")
        assert failure(post, ConnectionId=connection_id, Data=large) == (413, "PayloadTooLargeException")

        post(ConnectionId=connection_id, Data=large[1:])

        assert len(client.recv(timeout=PATIENCE)) == LARGEST_MESSAGE


def test_a_connection_is_gone_while_it_is_being_connected(gateway: Gateway) -> None:
    gateway.answers.clear()
    opening = threading.Thread(target=gateway.connect_once, name="client")
    opening.start()
    try:
        connection_id = gateway.event("AuthorizeFunction")["requestContext"]["connectionId"]
        assert failure(gateway.api().post_to_connection, ConnectionId=connection_id, Data=b"x")[0] == 410
    finally:
        gateway.answers.set()
        opening.join()
    assert gateway.event("DisconnectFunction")["requestContext"]["connectionId"] == connection_id


def test_only_roles_with_the_permission_use_connections(gateway: Gateway) -> None:
    with gateway.connect():
        connection_id = gateway.event("ConnectFunction")["requestContext"]["connectionId"]
        gateway.api("EchoFunctionRole").post_to_connection(ConnectionId=connection_id, Data=b"x")
        for api, call in (("EchoFunctionRole", "delete_connection"), ("ConnectFunctionRole", "get_connection")):
            status, code = failure(getattr(gateway.api(api), call), ConnectionId=connection_id)
            assert (status, code) == (403, "AccessDeniedException")
        unsigned = gateway.api(signature_version=UNSIGNED)
        assert failure(unsigned.get_connection, ConnectionId=connection_id)[0] == 403

    action, of_all = "execute-api:ManageConnections", "arn:aws:execute-api:us-east-1:123456789012:live/live"
    assert gateway.control("accesses") == {
        "used": [["EchoFunctionRole", action, f"{of_all}/POST/@connections/*"]],
        "refused": [
            ["EchoFunctionRole", action, f"{of_all}/DELETE/@connections/{connection_id}"],
            ["ConnectFunctionRole", action, f"{of_all}/GET/@connections/{connection_id}"],
        ],
    }
