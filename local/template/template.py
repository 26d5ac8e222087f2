"""Reads the functions, APIs, tables, secrets, buckets and state machines of `template.yaml`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from local.template.event_sources import (
    QUEUE,
    QUEUE_PROPERTIES,
    Queue,
    QueueSource,
    StreamSource,
    queue_arn,
    queue_of,
    queue_url,
    sources_of,
)
from local.template.intrinsics import ACCOUNT, REGION, Resolver, TemplateError, parse_yaml, substitute
from local.template.routes import Route, routes_of
from local.template.websocket_api import TYPE as WEBSOCKET_API
from local.template.websocket_api import WebSocketApi, api_id_of, endpoint_of, websocket_api_of

# The properties of AWS::DynamoDB::Table that CreateTable accepts under the same names.
_TABLE_PROPERTIES = (
    "AttributeDefinitions",
    "BillingMode",
    "GlobalSecondaryIndexes",
    "KeySchema",
)
# The property that names a resource. Without it CloudFormation generates a name, and so does this module.
_NAME_PROPERTIES = {
    "AWS::Serverless::Function": "FunctionName",
    "AWS::Serverless::StateMachine": "Name",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::S3::Bucket": "BucketName",
    QUEUE: "QueueName",
}

_RATE = re.compile(r"rate\((?P<count>[1-9]\d*) (?P<unit>minute|hour|day)s?\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}


@dataclass(frozen=True, slots=True)
class Cors:
    """The HTTP API's CorsConfiguration; `max_age` in seconds."""

    allow_origins: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: int | None = None
    allow_credentials: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function: `folder` is the last part of its CodeUri, `timeout` in seconds, `memory` in MB.

    `layers` are the names of the template's layers that it has besides those of all functions, and `layer_folders` the
    folders that these are built from.
    """

    logical_id: str
    name: str
    arn: str
    code: Path
    handler: str
    timeout: int
    memory: int
    environment: Mapping[str, str]
    has_url: bool
    url_cors: Cors | None
    reserved_concurrency: int | None
    layers: tuple[str, ...] = ()
    layer_folders: tuple[Path, ...] = ()

    @property
    def folder(self) -> str:
        return self.code.name


@dataclass(frozen=True, slots=True)
class Schedule:
    """A function that is invoked at a fixed interval in seconds."""

    function: Function
    every_seconds: int


@dataclass(frozen=True, slots=True)
class EventRule:
    """A function that EventBridge invokes with each event that matches the pattern."""

    function: Function
    pattern: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Authorizer:
    """The HTTP API's JWT authorizer."""

    issuer: str
    audiences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A DynamoDB table: `definition` has the arguments of CreateTable, except `stream`, its StreamSpecification."""

    logical_id: str
    name: str
    definition: Mapping[str, Any]
    ttl_attribute: str | None
    stream: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret; `value` is None if AWS generates it, or if an operator enters it."""

    logical_id: str
    name: str
    arn: str
    value: str | None


@dataclass(frozen=True, slots=True)
class StateMachine:
    """A state machine, with its definition as JSON after substitutions."""

    logical_id: str
    name: str
    arn: str
    definition: str


class Template:
    """A template whose intrinsics are resolved with the given values, each part when it is read.

    `attributes` has the values of `GetAtt` that exist only after a deployment, such as
    `{"StreamJobFunctionUrl.FunctionUrl": "http://…"}`.
    """

    def __init__(
        self,
        path: Path,
        *,
        stack_name: str = "millrace",
        parameters: Mapping[str, str] | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        self._path = path
        self._stack_name = stack_name
        self._attributes = dict(attributes or {})
        document = parse_yaml(path.read_text())
        if not isinstance(document, dict) or not isinstance(document.get("Resources"), dict):
            raise TemplateError(f"{path}: the template has no Resources")
        self._document: dict[str, Any] = document
        self._globals: dict[str, Any] = document.get("Globals") or {}
        declared = document.get("Parameters") or {}
        for name in parameters or {}:
            if name not in declared:
                raise TemplateError(f"{path}: the template has no parameter {name}")
        self._resolver = Resolver(
            document,
            stack_name=stack_name,
            parameters=parameters or {},
            reference=self._reference,
            attribute=self._attribute,
        )

    @staticmethod
    def parameter_defaults(path: Path) -> dict[str, str | None]:
        """Return the declared parameters with their defaults; None for a parameter that is required."""
        declared: dict[str, Any] = parse_yaml(path.read_text()).get("Parameters") or {}
        return {
            name: None if (default := each.get("Default")) is None else str(default) for name, each in declared.items()
        }

    # ---- its resources -------------------------------------------------------------------------------------------

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        return tuple(self._function(logical_id) for logical_id in self._of_type("AWS::Serverless::Function"))

    @property
    def function_urls(self) -> tuple[str, ...]:
        """Return the names of the resources that SAM creates for FunctionUrlConfig, for use with `GetAtt`."""
        functions = self._of_type("AWS::Serverless::Function")
        return tuple(f"{name}Url" for name in functions if "FunctionUrlConfig" in self._properties(name))

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        body = next((self._properties(each).get("DefinitionBody") for each in self._http_apis), None)
        return tuple(routes_of(body or {}, self._http_api.get("Auth", {}).get("DefaultAuthorizer")))

    @cached_property
    def websocket_api(self) -> WebSocketApi | None:
        """Return the WebSocket API. Raises TemplateError for more than one."""
        declared = list(self._of_type(WEBSOCKET_API))
        if len(declared) > 1:
            raise TemplateError(f"one {WEBSOCKET_API} is supported, found {', '.join(declared)}")
        for logical_id in declared:
            return websocket_api_of(logical_id, self._properties(logical_id), self._resolver.resolve)
        return None

    @cached_property
    def schedules(self) -> tuple[Schedule, ...]:
        """Return the functions that EventBridge Scheduler invokes. Only rates are supported."""
        schedules = []
        for logical_id in self._of_type("AWS::Serverless::Function"):
            for event_name, event in (self._properties(logical_id).get("Events") or {}).items():
                if event.get("Type") not in {"Schedule", "ScheduleV2"}:
                    continue
                path = f"{logical_id}.Events.{event_name}"
                properties = self._resolver.resolve(event.get("Properties") or {}, path)
                expression = str(properties.get("ScheduleExpression") or properties.get("Schedule"))
                rate = _RATE.fullmatch(expression)
                if rate is None:
                    raise TemplateError(f"{path}: only rate(N minutes|hours|days) is supported, found {expression}")
                schedules.append(Schedule(self._function(logical_id), int(rate["count"]) * _SECONDS[rate["unit"]]))
        return tuple(schedules)

    @cached_property
    def event_rules(self) -> tuple[EventRule, ...]:
        """Return the functions that EventBridge invokes, with the patterns of their events."""
        return tuple(
            EventRule(
                self._function(logical_id),
                self._resolver.resolve(event["Properties"]["Pattern"], f"{logical_id}.Events.{event_name}"),
            )
            for logical_id in self._of_type("AWS::Serverless::Function")
            for event_name, event in (self._properties(logical_id).get("Events") or {}).items()
            if event.get("Type") in {"EventBridgeRule", "CloudWatchEvent"}
        )

    @cached_property
    def queues(self) -> tuple[Queue, ...]:
        """Return the queues, each after the queue of its dead letters."""
        found = [
            queue_of(self._physical_name(each), self._resolved(each, QUEUE_PROPERTIES)) for each in self._of_type(QUEUE)
        ]
        return tuple(sorted(found, key=lambda each: each.dead_letters is not None))

    @cached_property
    def event_sources(self) -> tuple[StreamSource | QueueSource, ...]:
        """Return the streams and queues whose records functions get."""
        return tuple(
            source
            for logical_id in self._of_type("AWS::Serverless::Function")
            for source in sources_of(
                logical_id,
                self._physical_name(logical_id),
                self._properties(logical_id).get("Events") or {},
                self._resolver.resolve,
            )
        )

    @cached_property
    def cors(self) -> Cors | None:
        return _cors(self._http_api.get("CorsConfiguration"))

    @cached_property
    def authorizer(self) -> Authorizer | None:
        """Return the JWT authorizer. Only one is supported."""
        declared = self._http_api.get("Auth", {}).get("Authorizers", {})
        if len(declared) > 1:
            raise TemplateError(f"HttpApi.Auth.Authorizers: one is supported, found {', '.join(declared)}")
        for name, authorizer in declared.items():
            jwt = authorizer.get("JwtConfiguration")
            if jwt is None:
                raise TemplateError(f"HttpApi.Auth.Authorizers.{name}: only JWT authorizers are supported")
            # SAM documents names in lower case, and accepts both cases.
            lowered = {key.lower(): value for key, value in jwt.items()}
            audience = lowered["audience"]
            return Authorizer(lowered["issuer"], tuple([audience] if isinstance(audience, str) else audience))
        return None

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        tables = []
        for logical_id in self._of_type("AWS::DynamoDB::Table"):
            properties = self._resolved(
                logical_id, (*_TABLE_PROPERTIES, "StreamSpecification", "TimeToLiveSpecification")
            )
            ttl = properties.pop("TimeToLiveSpecification", {})
            stream = properties.pop("StreamSpecification", None)
            attribute = ttl.get("AttributeName") if str(ttl.get("Enabled", False)).lower() == "true" else None
            name = self._physical_name(logical_id)
            definition = {"TableName": name, **properties}
            # CloudFormation has no StreamEnabled, and CreateTable requires it.
            specification = None if stream is None else {"StreamEnabled": True, **stream}
            tables.append(Table(logical_id, name, definition, attribute, specification))
        return tuple(tables)

    @cached_property
    def secrets(self) -> tuple[Secret, ...]:
        return tuple(
            Secret(
                logical_id,
                self._physical_name(logical_id),
                self._arn(logical_id),
                self._resolved(logical_id, ("SecretString",)).get("SecretString"),
            )
            for logical_id in self._of_type("AWS::SecretsManager::Secret")
        )

    @cached_property
    def buckets(self) -> tuple[str, ...]:
        return tuple(self._physical_name(logical_id) for logical_id in self._of_type("AWS::S3::Bucket"))

    @cached_property
    def bucket_cors(self) -> dict[str, list[dict[str, Any]]]:
        """Return the CORS rules of each bucket that has some, by its name, as S3's API takes them."""
        found = {}
        for logical_id in self._of_type("AWS::S3::Bucket"):
            configuration = self._resolved(logical_id, ("CorsConfiguration",)).get("CorsConfiguration")
            if configuration:
                found[self._physical_name(logical_id)] = [_bucket_rule(rule) for rule in configuration["CorsRules"]]
        return found

    @cached_property
    def state_machines(self) -> tuple[StateMachine, ...]:
        machines = []
        for logical_id in self._of_type("AWS::Serverless::StateMachine"):
            properties = self._resolved(logical_id, ("DefinitionUri", "DefinitionSubstitutions"))
            if "DefinitionUri" not in properties:
                raise TemplateError(f"{logical_id}: DefinitionUri is required")
            file = self._path.parent / properties["DefinitionUri"]
            if not file.is_file():
                raise TemplateError(f"{logical_id}.DefinitionUri: the file {file} does not exist")
            definition = substitute(
                parse_yaml(file.read_text()), properties.get("DefinitionSubstitutions", {}), file.name
            )
            machines.append(
                StateMachine(logical_id, self._physical_name(logical_id), self._arn(logical_id), json.dumps(definition))
            )
        return tuple(machines)

    def policies(self) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Yield the logical id of each function and state machine, with the statements of its policies."""
        for kind in ("AWS::Serverless::Function", "AWS::Serverless::StateMachine"):
            for logical_id in self._of_type(kind):
                path = f"{logical_id}.Policies"
                policies = self._properties(logical_id).get("Policies") or []
                for policy in policies:
                    if not isinstance(policy, dict) or "Statement" not in policy:
                        raise TemplateError(f"{path}: {policy!r} has no Statement; policy templates are not supported")
                statements = [statement for policy in policies for statement in policy["Statement"]]
                yield logical_id, self._resolver.resolve(statements, path)

    def of_type(self, kind: str) -> dict[str, Mapping[str, Any]]:
        """Logical id → properties, unresolved, of the resources of a type that their conditions do not leave out."""
        return {logical_id: self._properties(logical_id) for logical_id in self._of_type(kind)}

    def resolve(self, value: Any) -> Any:
        """Return a value of the template with its intrinsics replaced."""
        return self._resolver.resolve(value, "a value")

    # ---- reading -------------------------------------------------------------------------------------------------

    def _of_type(self, kind: str) -> Iterator[str]:
        for logical_id, resource in self._document["Resources"].items():
            if resource.get("Type") != kind:
                continue
            condition = resource.get("Condition")
            if condition is None or self._resolver.condition(condition, logical_id):
                yield logical_id

    def _properties(self, logical_id: str) -> dict[str, Any]:
        return self._document["Resources"][logical_id].get("Properties") or {}

    def _resolved(self, logical_id: str, names: tuple[str, ...]) -> dict[str, Any]:
        """Resolve only the named properties: others may refer to resources that exist only on AWS, such as alarms."""
        wanted = {name: value for name, value in self._properties(logical_id).items() if name in names}
        resolved: dict[str, Any] = self._resolver.resolve(wanted, logical_id)
        return resolved

    @cached_property
    def _http_apis(self) -> list[str]:
        """The logical id of the HTTP API, if there is one. Raises TemplateError for more."""
        declared = list(self._of_type("AWS::Serverless::HttpApi"))
        if len(declared) > 1:
            raise TemplateError(f"one AWS::Serverless::HttpApi is supported, found {', '.join(declared)}")
        return declared

    @cached_property
    def _http_api(self) -> dict[str, Any]:
        wanted = ("Auth", "CorsConfiguration")
        own: dict[str, Any] = {}
        for logical_id in self._http_apis:
            own = self._resolved(logical_id, wanted)
        shared = {key: value for key, value in (self._globals.get("HttpApi") or {}).items() if key in wanted}
        merged: dict[str, Any] = {**self._resolver.resolve(shared, "Globals.HttpApi"), **own}
        return merged

    def _function(self, logical_id: str) -> Function:
        own = self._properties(logical_id)
        shared = self._globals.get("Function") or {}
        simple = {
            name: own.get(name, shared.get(name))
            for name in ("CodeUri", "Handler", "Timeout", "MemorySize", "ReservedConcurrentExecutions")
            if own.get(name, shared.get(name)) is not None
        }
        resolved = self._resolver.resolve(simple, logical_id)
        for name in ("CodeUri", "Handler"):
            if name not in resolved:
                raise TemplateError(f"{logical_id}.{name}: missing")
        variables = {
            **((shared.get("Environment") or {}).get("Variables") or {}),
            **((own.get("Environment") or {}).get("Variables") or {}),
        }
        environment = self._resolver.resolve(variables, f"{logical_id}.Environment.Variables")
        concurrency = resolved.get("ReservedConcurrentExecutions")
        layers = tuple(layer["Ref"] for layer in own.get("Layers") or () if isinstance(layer, dict) and "Ref" in layer)
        return Function(
            logical_id=logical_id,
            name=self._physical_name(logical_id),
            arn=self._arn(logical_id),
            code=(self._path.parent / resolved["CodeUri"]).resolve(),
            handler=resolved["Handler"],
            timeout=int(resolved.get("Timeout", 3)),  # Lambda's own default
            memory=int(resolved.get("MemorySize", 128)),
            environment={
                key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in environment.items()
            },
            has_url="FunctionUrlConfig" in own,
            url_cors=_cors(self._resolver.resolve((own.get("FunctionUrlConfig") or {}).get("Cors"), logical_id)),
            reserved_concurrency=None if concurrency is None else int(concurrency),
            layers=layers,
            layer_folders=tuple(
                (self._path.parent / self._properties(layer)["ContentUri"]).resolve() for layer in layers
            ),
        )

    # ---- names -----------------------------------------------------------------------------------------------------

    def _physical_name(self, logical_id: str) -> str:
        kind = self._document["Resources"][logical_id]["Type"]
        given = self._properties(logical_id).get(_NAME_PROPERTIES[kind])
        name = f"{self._stack_name}-{logical_id}" if given is None else str(self._resolver.resolve(given, logical_id))
        return name.lower() if kind == "AWS::S3::Bucket" else name

    def _arn(self, logical_id: str) -> str:
        kind = self._document["Resources"][logical_id]["Type"]
        name = self._physical_name(logical_id)
        return {
            "AWS::Serverless::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}",
            "AWS::Serverless::StateMachine": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}",
            "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}",
            # A partial ARN, without the random suffix; Secrets Manager accepts it too.
            "AWS::SecretsManager::Secret": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}",
            "AWS::S3::Bucket": f"arn:aws:s3:::{name}",
            QUEUE: queue_arn(name),
        }[kind]

    def _reference(self, logical_id: str) -> str:
        """Return the value of `Ref`. Raises KeyError for an unsupported kind of resource."""
        if logical_id in self._attributes:
            return self._attributes[logical_id]
        kind = self._document["Resources"][logical_id]["Type"]
        if kind in {"AWS::Serverless::StateMachine", "AWS::SecretsManager::Secret"}:
            return self._arn(logical_id)
        if kind in {"AWS::Serverless::HttpApi", WEBSOCKET_API}:
            return api_id_of(logical_id)
        name = self._physical_name(logical_id)
        return queue_url(name) if kind == QUEUE else name

    def _attribute(self, logical_id: str, attribute: str) -> str:
        given = self._attributes.get(f"{logical_id}.{attribute}")
        if given is not None:
            return given
        if attribute == "Arn":
            return self._arn(logical_id)
        if self._document["Resources"].get(logical_id, {}).get("Type") == WEBSOCKET_API:
            return {"ApiEndpoint": endpoint_of, "ApiId": api_id_of}[attribute](logical_id)
        if attribute in {"Name", "QueueName"} and logical_id in self._document["Resources"]:
            return self._physical_name(logical_id)
        if attribute == "StreamArn":
            return f"{self._arn(logical_id)}/stream/local"
        if attribute != "RegionalDomainName":
            raise KeyError(attribute)
        return f"{self._physical_name(logical_id)}.s3.{REGION}.amazonaws.com"


def _bucket_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return a CORS rule of a bucket with the names of S3's API, which differ from CloudFormation's."""
    renamed = {"ExposedHeaders": "ExposeHeaders", "MaxAge": "MaxAgeSeconds", "Id": "ID"}
    return {renamed.get(name, name): value for name, value in rule.items()}


def _cors(configuration: Any) -> Cors | None:
    """Read the CORS configuration of an HTTP API or a function URL."""
    if configuration is None or configuration is False:
        return None
    if configuration is True:  # SAM's shorthand
        return Cors(allow_origins=("*",))
    return Cors(
        allow_origins=tuple(configuration.get("AllowOrigins", ())),
        allow_methods=tuple(configuration.get("AllowMethods", ())),
        allow_headers=tuple(configuration.get("AllowHeaders", ())),
        expose_headers=tuple(configuration.get("ExposeHeaders", ())),
        max_age=int(configuration["MaxAge"]) if "MaxAge" in configuration else None,
        allow_credentials=str(configuration.get("AllowCredentials", False)).lower() == "true",
    )
