"""The local stack's AWS: moto's server, with each function and state machine held to its policies.

Invocations of Lambda go on to the function host, DynamoDB is called straight or is another server.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import sys
import time
import uuid
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from local.aws import dynamodb_latency, moto_dynamodb, moto_stepfunctions
from local.aws.credentials import DUMMY_CREDENTIALS
from local.aws.dynamodb_upstream import UpstreamDynamoDb
from local.aws.http_server import Environ, StartResponse, serve, status_line
from local.aws.iam import Access, AccessControl
from local.aws.requests import accesses_of, role_of_signer
from local.aws.upstream import Upstream
from local.template.intrinsics import ACCOUNT
from local.template.template import Template

_INVOCATIONS = "/2015-03-31/functions/"
_DYNAMODB_TARGET = "DynamoDB_20120810."
_START_EXECUTION = "AWSStepFunctions.StartExecution"


class Aws:
    """The WSGI application: Lambda by the function host, DynamoDB called straight or on another server.

    All else is moto's.
    """

    def __init__(
        self,
        function_host: str | None,
        dynamodb_url: str | None = None,
        access: AccessControl | None = None,
        *,
        published_latency: bool = False,
    ) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._functions = None if function_host is None else Upstream(function_host)
        self.dynamodb = moto_dynamodb.DynamoDb() if dynamodb_url is None else UpstreamDynamoDb(dynamodb_url)
        self._access = access or AccessControl({})
        self._published_latency = published_latency

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        target: str = environ.get("HTTP_X_AMZ_TARGET", "")
        path: str = environ["PATH_INFO"]
        role = role_of_signer(environ)
        if self._access.knows(role):
            refused = self._access.first_refused(role, accesses_of(environ))
            if refused is not None:
                return _access_denied(environ, start_response, role, refused)
        if target.startswith(_DYNAMODB_TARGET):
            operation = target.removeprefix(_DYNAMODB_TARGET)
            began = time.monotonic()
            answer = self._dynamodb(environ, start_response, operation)
            if self._published_latency:
                time.sleep(max(0.0, began + dynamodb_latency.draw(operation) - time.monotonic()))
            return answer
        if path.startswith(_INVOCATIONS) and path.endswith("/invocations"):
            return self._invoke(environ, start_response)
        if path.startswith("/_millrace/"):
            return self._own(environ, start_response)
        if target == _START_EXECUTION:
            moto_stepfunctions.note_trace(environ)
        return list(self._moto(environ, start_response))

    def _dynamodb(self, environ: Environ, start_response: StartResponse, operation: str) -> Iterable[bytes]:
        payload = environ["wsgi.input"].read()
        headers = {"x-amz-target": environ["HTTP_X_AMZ_TARGET"], "Content-Type": environ.get("CONTENT_TYPE", "")}
        if isinstance(self.dynamodb, UpstreamDynamoDb):
            # Another key would be another database there.
            signed_by_us = environ.get("HTTP_AUTHORIZATION", "").replace(
                f"Credential={role_of_signer(environ)}/", f"Credential={DUMMY_CREDENTIALS['aws_access_key_id']}/"
            )
            headers |= {"Authorization": signed_by_us}
        # Binary values go moto's way, whose parser turns base64 into bytes.
        elif operation not in moto_dynamodb.CALLED_STRAIGHT or b'"B"' in payload or b'"BS"' in payload:
            environ["wsgi.input"].seek(0)
            with self.dynamodb.lock:
                return list(self._moto(environ, start_response))
        status, answer = self.dynamodb.call(operation, payload, headers)
        start_response(
            status_line(status),
            [
                ("Content-Type", "application/x-amz-json-1.0"),
                ("x-amzn-RequestId", uuid.uuid4().hex),
                ("x-amz-crc32", str(zlib.crc32(answer))),
            ],
        )
        return [answer]

    def _invoke(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        headers = {
            name: environ[f"HTTP_{name.upper().replace('-', '_')}"]
            for name in ("X-Amz-Invocation-Type", "X-Amz-Client-Context", "X-Amzn-Trace-Id")
            if f"HTTP_{name.upper().replace('-', '_')}" in environ
        }
        try:
            if self._functions is None:
                raise ConnectionRefusedError("no function host was given")
            status, answered, body = self._functions.post(environ["RAW_URI"], environ["wsgi.input"].read(), headers)
        except (OSError, http.client.HTTPException) as error:
            status = 500
            # Moto's Step Functions quotes the request's id, as AWS's does, and breaks without one.
            answered = [("x-amzn-ErrorType", "ServiceException"), ("x-amzn-RequestId", str(uuid.uuid4()))]
            body = json.dumps({"Type": "Service", "Message": f"the function host did not answer: {error}"}).encode()
        start_response(status_line(status), answered)
        return [body]

    def _own(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"].removeprefix("/_millrace/")
        answer: Any
        if path == "healthz":
            status, answer = 200, {"status": "ok"}
        elif path == "capacity":
            partition = parse_qs(environ["QUERY_STRING"]).get("partition")
            with self.dynamodb.lock:
                meter = self.dynamodb.meter
                status, answer = 200, (meter.of(partition[0]) if partition else meter.total()).as_json()
        elif path == "capacity/tables":
            with self.dynamodb.lock:
                status, answer = 200, self.dynamodb.meter.tables_as_json()
        elif path == "accesses":
            status, answer = 200, self._access.as_json()
        elif path == "faults" and environ["REQUEST_METHOD"] == "POST":
            self.dynamodb.faults.add(json.loads(environ["wsgi.input"].read()))
            status, answer = 204, None
        else:
            status, answer = 404, {"message": "no such page"}
        start_response(status_line(status), [("Content-Type", "application/json")])
        return [b"" if answer is None else json.dumps(answer).encode()]


def _access_denied(environ: Environ, start_response: StartResponse, role: str, refused: Access) -> Iterable[bytes]:
    message = (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{role}/local is not authorized to perform: {refused.action} on "
        f"resource: {refused.arn} because no identity-based policy allows the {refused.action} action"
    )
    print(f"access denied: {message}", file=sys.stderr, flush=True)
    if "HTTP_X_AMZ_TARGET" in environ:
        status, kind = 400, "application/x-amz-json-1.0"
        body = json.dumps({"__type": "com.amazon.coral.service#AccessDeniedException", "message": message})
    elif refused.action.startswith("s3:"):
        status, kind = 403, "application/xml"
        body = f"<Error><Code>AccessDenied</Code><Message>{escape(message)}</Message></Error>"
    else:
        status, kind, body = 403, "application/json", json.dumps({"Message": message})
    headers = [("Content-Type", kind), ("x-amzn-RequestId", str(uuid.uuid4()))]
    start_response(status_line(status), [*headers, ("x-amzn-ErrorType", "AccessDeniedException")])
    return [body.encode()]


def main(arguments: list[str] | None = None) -> None:
    """`python -m local.aws.server --port N | --fd N`, with any of the options below. The socket of `--fd` listens."""
    parser = argparse.ArgumentParser(prog="python -m local.aws.server", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int)
    where.add_argument("--fd", type=int)
    parser.add_argument("--function-host", help="where invocations are passed on to, http://host:port")
    parser.add_argument("--dynamodb", help="where DynamoDB is, if not here: http://host:port")
    parser.add_argument("--published-latency", action="store_true", help="DynamoDB answers no sooner than on AWS")
    parser.add_argument("--template", type=Path, help="whose roles may do what their policies allow, and no more")
    options = parser.parse_args(arguments)
    access = None if options.template is None else AccessControl.of(Template(options.template))
    if options.fd is None:
        listener = socket.create_server(("127.0.0.1", options.port), backlog=512)
    else:
        listener = socket.socket(fileno=options.fd)
    moto_dynamodb.install()
    moto_stepfunctions.install(listener.getsockname()[1])
    serve(listener, Aws(options.function_host, options.dynamodb, access, published_latency=options.published_latency))


if __name__ == "__main__":
    main()
