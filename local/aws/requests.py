"""Reads from a request to AWS the role that signed it, and the actions and resources that it needs."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import unescape

from local.aws.http_server import Environ
from local.aws.iam import Access
from local.template.event_sources import queue_arn
from local.template.intrinsics import ACCOUNT, REGION

_SERVICES = {
    "DynamoDB_20120810": "dynamodb",
    "AWSStepFunctions": "states",
    "secretsmanager": "secretsmanager",
    "AmazonSQS": "sqs",
}
_INVOCATIONS = "/2015-03-31/functions/"
_S3_ACTIONS = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
_DELETED = re.compile(r"<Key>(.*?)</Key>")
_NAMES = ("stateMachineArn", "executionArn", "SecretId")
_BATCH = "Batch"


def role_of_signer(environ: Environ) -> str:
    """Return the access key of the signature, which is the name of the role here; empty without a signature.

    A signed URL has its signature in the query. A preflight of such a URL is not signed: the browser asks for itself.
    """
    if environ.get("REQUEST_METHOD") == "OPTIONS":
        return ""
    signature: str = environ.get("HTTP_AUTHORIZATION", "")
    in_header = signature.partition("Credential=")[2].partition("/")[0]
    if in_header:
        return in_header
    credential: str = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential", [""])[0]
    return credential.partition("/")[0]


def accesses_of(environ: Environ) -> list[Access]:
    """Return the accesses that must be allowed. The body can be read again afterwards."""
    target: str = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        prefix, _, operation = target.partition(".")
        service = _SERVICES.get(prefix, prefix)
        stream = environ["wsgi.input"]
        request = json.loads(stream.read() or b"{}")
        stream.seek(0)
        if service == "dynamodb":
            return _of_dynamodb(operation, request)
        return [_of_sqs(operation, request) if service == "sqs" else _named(service, operation, request)]
    path: str = environ["PATH_INFO"]
    if path.startswith(_INVOCATIONS):
        function = path.removeprefix(_INVOCATIONS).removesuffix("/invocations")
        arn = function if function.startswith("arn:") else f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
        return [Access("lambda:InvokeFunction", arn)]
    if environ["REQUEST_METHOD"] == "POST" and "delete" in parse_qs(environ["QUERY_STRING"], keep_blank_values=True):
        return _of_deletion(environ, path.strip("/"))
    return [_of_s3(environ, path.strip("/"))]


def _of_deletion(environ: Environ, bucket: str) -> list[Access]:
    """Return the accesses of a request that deletes several objects: each of them must be allowed."""
    stream = environ["wsgi.input"]
    names = _DELETED.findall(stream.read().decode())
    stream.seek(0)
    return [Access("s3:DeleteObject", f"arn:aws:s3:::{bucket}/{unescape(name)}") for name in names]


def _of_dynamodb(operation: str, request: dict[str, Any]) -> list[Access]:
    if operation in {"TransactWriteItems", "TransactGetItems"}:
        # There is no action for a transaction: each of its parts must be allowed.
        parts = [part for item in request["TransactItems"] for part in item.items()]
        return [Access(f"dynamodb:{_part(kind)}", _table(part["TableName"])) for kind, part in parts]
    action = f"dynamodb:{operation}"
    if "RequestItems" in request:
        return [Access(action, _table(name)) for name in request["RequestItems"]]
    index = f"/index/{request['IndexName']}" if "IndexName" in request else ""
    return [Access(action, _table(request.get("TableName", "")) + index)]


def _part(kind: str) -> str:
    return "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item"


def _table(name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def _of_sqs(operation: str, request: dict[str, Any]) -> Access:
    """Return the access of a request of SQS, which has no actions for batches."""
    name = str(request.get("QueueUrl", "")).rpartition("/")[2]
    return Access(f"sqs:{operation.removesuffix(_BATCH)}", queue_arn(name))


def _named(service: str, operation: str, request: dict[str, Any]) -> Access:
    arn = next((str(request[name]) for name in _NAMES if name in request), f"arn:aws:{service}:{REGION}:{ACCOUNT}:*")
    return Access(f"{service}:{operation}", arn)


def _of_s3(environ: Environ, path: str) -> Access:
    method: str = environ["REQUEST_METHOD"]
    parameters = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
    arn = f"arn:aws:s3:::{path}"
    if "/" in path:
        return Access(f"s3:{_S3_ACTIONS.get(method, method)}", arn)
    if method == "GET" and "list-type" in parameters:
        return Access("s3:ListBucket", arn, parameters.get("prefix", [""])[0])
    return Access(f"s3:{method}Bucket", arn)
