"""Stands before the local AWS as IAM does: what a function's policy in template.yaml does not allow is refused."""

from __future__ import annotations

import fnmatch
import http.client
import json
import re
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from local.http_server import Environ, StartResponse, serve
from local.intrinsics import ACCOUNT, REGION
from local.template import Template
from tools.validate_template.document import Resource

_SERVICES = {"DynamoDB_20120810": "dynamodb", "AWSStepFunctions": "states", "secretsmanager": "secretsmanager"}
_S3_ACTIONS = {"GET": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}
_PLACEHOLDER = re.compile(r"\$\{([\w:]+?)(?:\.Arn)?\}")


@dataclass(frozen=True, slots=True)
class _Grant:
    """An action on what matches an ARN pattern."""

    action: str
    pattern: str


class PolicyGate:
    """A proxy to the local AWS for one function; `refused` lists what it asked for beyond its policy."""

    def __init__(self, function: Resource, template: Template, aws_url: str) -> None:
        self._grants = [
            _Grant(action, _pattern(resource, template))
            for policy in function.properties["Policies"]
            for statement in policy["Statement"]
            for action in statement["Action"]
            for resource in _as_list(statement["Resource"])
        ]
        self._target = urlsplit(aws_url).netloc
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.refused: list[str] = []
        self.url = "http://{}:{}".format(*self._listener.getsockname())
        threading.Thread(target=serve, args=(self._listener, self._answer), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept()
        self._listener.close()

    def _answer(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body: bytes = environ["wsgi.input"].read()
        wanted = _wanted(environ, body)
        if not all(self._allows(action, arn) for action, arn in wanted):
            self.refused += [f"{action} on {arn}" for action, arn in wanted]
            start_response("400 Bad Request", [("Content-Type", "application/x-amz-json-1.0")])
            return [b'{"__type": "AccessDeniedException", "message": "not allowed by the function\'s policy"}']
        headers = {
            name[5:].replace("_", "-"): value
            for name, value in environ.items()
            if name.startswith("HTTP_") and name not in {"HTTP_HOST", "HTTP_CONNECTION", "HTTP_TRANSFER_ENCODING"}
        }
        headers["Content-Type"] = environ.get("CONTENT_TYPE", "")
        path = environ["PATH_INFO"] + (f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else "")
        connection = http.client.HTTPConnection(self._target, timeout=30)
        try:
            connection.request(environ["REQUEST_METHOD"], path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        kept = [(n, v) for n, v in answer.getheaders() if n.lower() not in {"connection", "transfer-encoding", "date"}]
        start_response(f"{answer.status} {answer.reason}", kept)
        return [content]

    def _allows(self, action: str, arn: str) -> bool:
        return any(grant.action == action and fnmatch.fnmatchcase(arn, grant.pattern) for grant in self._grants)


def _wanted(environ: Environ, body: bytes) -> list[tuple[str, str]]:
    """The actions of a request with the ARNs they are on."""
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target is None:
        listing = "list-type" in environ.get("QUERY_STRING", "")
        action = "s3:ListBucket" if listing else _S3_ACTIONS[environ["REQUEST_METHOD"]]
        return [(action, f"arn:aws:s3:::{environ['PATH_INFO'].strip('/')}")]
    service, operation = target.split(".", 1)
    request = json.loads(body.decode())
    if operation == "TransactWriteItems":
        # Allowed, item by item, by what is done with it; there is no action for transactions.
        writes = [write for item in request["TransactItems"] for write in item.items()]
        return [(f"dynamodb:{kind}Item", _arns("dynamodb", write)[0]) for kind, write in writes]
    return [(f"{_SERVICES[service]}:{operation}", arn) for arn in _arns(_SERVICES[service], request)]


def _arns(service: str, request: dict[str, Any]) -> list[str]:
    if service == "dynamodb":
        index = f"/index/{request['IndexName']}" if "IndexName" in request else ""
        tables = request.get("RequestItems") or [request["TableName"]]
        return [f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}{index}" for table in tables]
    return [next(request[key] for key in ("stateMachineArn", "executionArn", "SecretId") if key in request)]


def _pattern(resource: Any, template: Template) -> str:
    """An ARN pattern from a statement's `Resource`, its intrinsics resolved as the local stack names things."""
    arns = {
        **{table.logical_id: f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table.name}" for table in template.tables},
        **{secret.logical_id: secret.arn for secret in template.secrets},
        "ArtefactBucket": f"arn:aws:s3:::{template.buckets[0]}",
        "AWS::Partition": "aws",
        "AWS::Region": REGION,
        "AWS::AccountId": ACCOUNT,
        "AWS::StackName": "millrace",
    }
    if "Fn::Sub" in resource:
        return _PLACEHOLDER.sub(lambda match: arns[match.group(1)], resource["Fn::Sub"])
    return arns[resource["Ref"] if "Ref" in resource else resource["Fn::GetAtt"][0]]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
