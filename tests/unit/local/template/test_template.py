"""The template, from which the local stack reads its resources."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.template.intrinsics import TemplateError
from local.template.routes import Route
from local.template.template import Template
from local.template.websocket_api import WebSocketApi, WebSocketAuthorizer

REPOSITORY = Path(__file__).resolve().parents[4]
SMALL = REPOSITORY / "tests/local/stack/template.yaml"
VALUES = {"OidcIssuer": "http://issuer", "OidcAudience": "audience"}
STREAM = {"WatchFunctionUrl.FunctionUrl": "http://stream"}


def small(**parameters: str) -> Template:
    return Template(SMALL, parameters={**VALUES, **parameters}, attributes=STREAM)


def written(tmp_path: Path, text: str, **values: str) -> Template:
    file = tmp_path / "template.yaml"
    file.write_text(text)
    return Template(file, parameters=values)


def test_a_function_has_the_resolved_environment_of_the_globals_and_its_own() -> None:
    echo, work, hasty, _, watch = small(Greeting="hi").functions
    assert (echo.folder, echo.name, echo.handler, echo.timeout, echo.memory) == (
        "echo",
        "millrace-echo",
        "app.handler",
        300,
        256,
    )
    assert echo.environment == {"TABLE_NAME": "millrace-Things", "GREETING": "hi", "STREAM_URL": "http://stream"}
    assert (work.reserved_concurrency, hasty.timeout) == (3, 1)
    assert watch.has_url
    assert watch.name == "millrace-WatchFunction"


def test_routes_and_their_authorizer_come_from_the_definition_body() -> None:
    assert set(small().routes) == {
        Route("POST", "/echo", "EchoFunction", authorized=True),
        Route("GET", "/things/{thingId}", "EchoFunction", authorized=True),
        Route("GET", "/things/latest", "EchoFunction", authorized=True),
        Route("GET", "/open", "EchoFunction", authorized=False),
    }


@pytest.mark.parametrize(
    ("security", "authorized"),
    [("", False), ("security: [Jwt: []], ", True), ("security: [NONE: []], ", False)],
)
def test_without_a_default_authorizer_a_route_is_authorized_if_it_names_one(
    tmp_path: Path, security: str, authorized: bool
) -> None:
    uri = '!Sub "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/${F.Arn}:live/invocations"'
    text = ROUTE.format(operation=f"{{{security}{INTEGRATION}: {{uri: {uri}}}}}")
    assert written(tmp_path, text).routes == (Route("GET", "/", "F", authorized=authorized),)


def test_a_route_that_invokes_no_function_of_the_template_is_refused(tmp_path: Path) -> None:
    text = ROUTE.format(operation=f"{{{INTEGRATION}: {{uri: https://elsewhere.example}}}}")
    with pytest.raises(TemplateError, match=r"HttpApi.DefinitionBody.paths./.get.x-amazon-apigateway-integration.uri"):
        _ = written(tmp_path, text).routes


INTEGRATION = "x-amazon-apigateway-integration"
ROUTE = """
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties: {{DefinitionBody: {{paths: {{/: {{get: {operation}}}}}}}}}
"""


def test_cors_authorizer_and_tables_come_from_the_template() -> None:
    template = small()
    assert template.cors is not None
    assert (template.cors.allow_origins, template.cors.max_age) == (("https://app.example",), 600)
    assert template.authorizer is not None
    assert (template.authorizer.issuer, template.authorizer.audiences) == ("http://issuer", ("audience",))
    (table,) = template.tables
    assert (table.name, table.ttl_attribute) == ("millrace-Things", "expiresAt")


def test_the_substitutions_of_a_state_machine_are_resolved() -> None:
    (machine,) = small().state_machines
    state = json.loads(machine.definition)["States"]["Work"]
    assert state["Parameters"]["FunctionName"] == "arn:aws:lambda:us-east-1:123456789012:function:millrace-work"


def test_the_products_template_resolves_completely() -> None:
    values = {**VALUES, "ModelBaseUrl": "http://model/v1"}
    template = Template(
        REPOSITORY / "template.yaml",
        parameters=values,
        attributes={"StreamJobFunctionUrl.FunctionUrl": "http://stream"},
    )
    assert {function.folder for function in template.functions} >= {"create_job", "stream_job", "generate_suggestions"}
    assert template.routes
    assert template.tables
    assert template.secrets
    assert template.buckets
    assert template.state_machines
    assert template.authorizer is not None
    assert template.cors is not None
    assert {route.method for route in template.routes if route.authorized} <= set(template.cors.allow_methods)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("!Sub '${AWS::StackName}-x'", "millrace-x"),
        ("!Sub ['${A}-${AWS::Region}', {A: !Ref Name}]", "given-us-east-1"),
        ("!Sub '${!Literal}'", "${Literal}"),
        ("!Join ['-', [a, !Ref Name]]", "a-given"),
        ("!Select [1, !Split [',', 'a,b']]", "b"),
        ("!If [IsGiven, yes it is, no]", "yes it is"),
        ("!FindInMap [Sizes, small, memory]", "128"),
        ("!GetAtt Data.Arn", "arn:aws:s3:::millrace-data"),
        ("!Ref Data", "millrace-data"),
    ],
)
def test_intrinsics_resolve(tmp_path: Path, expression: str, expected: str) -> None:
    template = written(tmp_path, FUNCTION.format(value=expression), Name="given")
    assert template.functions[0].environment == {"VALUE": expected}


def test_a_variable_with_no_value_is_left_out(tmp_path: Path) -> None:
    template = written(tmp_path, FUNCTION.format(value="!If [IsGiven, !Ref AWS::NoValue, x]"), Name="given")
    assert template.functions[0].environment == {}


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("!Ref Nothing", "F.Environment.Variables.VALUE.Ref: the local stack does not know the value of Ref Nothing"),
        (
            "!GetAtt Data.Colour",
            "F.Environment.Variables.VALUE.Fn::GetAtt: the local stack does not know the value of Data.Colour",
        ),
        ("!ImportValue elsewhere", "F.Environment.Variables.VALUE: the local stack does not support Fn::ImportValue"),
        ("!Ref Required", "parameter Required has no default and no value was given"),
        ("!If [IsNothing, a, b]", "there is no condition IsNothing"),
        ("!FindInMap [Sizes, large, memory]", "mapping Sizes has no large.memory"),
    ],
)
def test_an_expression_that_cannot_be_resolved_is_an_error_with_its_path(
    tmp_path: Path, expression: str, message: str
) -> None:
    template = written(tmp_path, FUNCTION.format(value=expression), Name="given")
    with pytest.raises(TemplateError, match=message.replace("[", r"\[")):
        _ = template.functions


def test_an_unknown_parameter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="the template has no parameter Misspelt"):
        written(tmp_path, FUNCTION.format(value="x"), Misspelt="x")


def test_a_missing_substitution_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.asl.yaml").write_text("States: {A: {Resource: '${Missing}'}}")
    text = "Resources: {M: {Type: AWS::Serverless::StateMachine, Properties: {DefinitionUri: m.asl.yaml}}}"
    with pytest.raises(
        TemplateError, match=r"m.asl.yaml.States.A.Resource: DefinitionSubstitutions has no value for \$\{Missing\}"
    ):
        _ = written(tmp_path, text).state_machines


def test_a_comma_delimited_parameter_is_a_list(tmp_path: Path) -> None:
    text = """
Parameters: {Origins: {Type: CommaDelimitedList}}
Resources: {Api: {Type: AWS::Serverless::HttpApi, Properties: {CorsConfiguration: {AllowOrigins: !Ref Origins}}}}
"""
    cors = written(tmp_path, text, Origins="https://a.example, https://b.example").cors
    assert cors is not None
    assert cors.allow_origins == ("https://a.example", "https://b.example")


FUNCTION = """
Parameters:
  Name: {{Type: String, Default: ""}}
  Required: {{Type: String}}
Conditions:
  IsGiven: !Not [!Equals [!Ref Name, ""]]
Mappings:
  Sizes: {{small: {{memory: 128}}}}
Resources:
  Data: {{Type: AWS::S3::Bucket}}
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: f/
      Handler: app.handler
      Environment:
        Variables:
          VALUE: {value}
"""


def websocket(tmp_path: Path, properties: str) -> Template:
    return written(
        tmp_path,
        f"""
Resources:
  F: {{Type: "AWS::Serverless::Function", Properties: {{CodeUri: f/, Handler: app.handler}}}}
  ChannelApi: {{Type: "AWS::Serverless::WebSocketApi", Properties: {{{properties}}}}}
""",
    )


SELECTION = "RouteSelectionExpression: $request.body.action.name"


@pytest.mark.parametrize(
    "function", ["!GetAtt F.Arn", "!Ref F", "!Ref F.Alias", '!Sub "${F.Arn}:live"', '!Sub "${F.Alias}"']
)
def test_a_websocket_api_has_routes_and_an_authorizer(tmp_path: Path, function: str) -> None:
    auth = f"Auth: {{AuthType: CUSTOM, AuthArn: {function}, IdentitySource: [route.request.header.Authorization]}}"
    template = websocket(tmp_path, f"{SELECTION}, {auth}, Routes: {{$connect: {{FunctionArn: {function}}}}}")

    authorizer = WebSocketAuthorizer("F", ("route.request.header.Authorization",))
    assert template.websocket_api == WebSocketApi(
        "ChannelApi", "default", ("action", "name"), {"$connect": "F"}, authorizer
    )
    assert template.resolve({"Ref": "ChannelApi"}) == "channelapi"
    assert template.resolve({"Fn::Sub": "${ChannelApi.ApiId}"}) == "channelapi"
    assert template.resolve({"Fn::GetAtt": ["ChannelApi", "ApiEndpoint"]}).startswith("wss://channelapi.execute-api.")


def test_a_template_without_a_websocket_api_has_none() -> None:
    assert small().websocket_api is None


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ("RouteSelectionExpression: $request.header.x", "RouteSelectionExpression"),
        (f"{SELECTION}, Routes: {{x: {{FunctionArn: 'arn:aws:lambda'}}}}", "Routes.x.FunctionArn"),
        (
            f"{SELECTION}, Routes: {{x: {{FunctionArn: !Ref F, RouteResponseSelectionExpression: $default}}}}",
            "Routes.x",
        ),
        (f"{SELECTION}, Auth: {{AuthType: AWS_IAM}}", "Auth.AuthType"),
    ],
)
def test_a_websocket_api_that_the_gateway_does_not_support_is_refused(
    tmp_path: Path, properties: str, named: str
) -> None:
    with pytest.raises(TemplateError, match=rf"ChannelApi\.{named}"):
        _ = websocket(tmp_path, properties).websocket_api
