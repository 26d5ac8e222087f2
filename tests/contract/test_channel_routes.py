"""The routes of the channel in template.yaml, the messages that clients may send, and the functions that take them."""

from __future__ import annotations

from typing import get_args

from local.template.template import Template
from shared.channel.messages import ClientMessage
from tests.layout import ROOT

TEMPLATE = Template(ROOT / "template.yaml", parameters={}, attributes={"StreamJobFunctionUrl.FunctionUrl": ""})
HANDSHAKE = {"$connect": "open_connection", "$disconnect": "end_connection", "$default": "refuse_message"}


def test_each_message_of_a_client_has_the_route_and_the_function_of_its_type() -> None:
    api = TEMPLATE.websocket_api
    assert api is not None
    types = {each.model_fields["type"].default for each in get_args(ClientMessage)}
    folders = {logical_id: properties["CodeUri"] for logical_id, properties in functions()}
    routes = {key: folders[function].strip("/").split("/")[1:] for key, function in api.routes.items()}
    expected = HANDSHAKE | {kind: kind for kind in types}
    assert routes == {key: ["channel", function] for key, function in expected.items()}
    assert api.selection == ("type",)
    assert api.authorizer is not None
    assert folders[api.authorizer.function].strip("/").endswith("channel/authorize_connection")


def functions() -> list[tuple[str, dict[str, str]]]:
    return [(name, dict(each)) for name, each in TEMPLATE.of_type("AWS::Serverless::Function").items()]
