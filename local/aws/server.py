"""The local stack's AWS: moto's server, which enforces the policies of each function and state machine.

Lambda invocations are forwarded to the function host. DynamoDB is called directly, or forwarded to another server.
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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from local.aws import dynamodb_latency, moto_dynamodb, moto_stepfunctions, s3_posts
from local.aws.credentials import DUMMY_CREDENTIALS
from local.aws.deliveries import Deliveries
from local.aws.dynamodb_upstream import UpstreamDynamoDb
from local.aws.event_sources import EventSources
from local.aws.execution_events import ExecutionEvents
from local.aws.held_calls import HeldCalls, Hold
from local.aws.http_server import Environ, StartResponse, serve, status_line
from local.aws.iam import Access, AccessControl, access_denied
from local.aws.requests import accesses_of, role_of_signer
from local.aws.upstream import Upstream
from local.template.template import Template

_INVOCATIONS = "/2015-03-31/functions/"
_DYNAMODB_TARGET = "DynamoDB_20120810."
_STEP_FUNCTIONS_TARGET = "AWSStepFunctions."
_SQS_TARGET = "AmazonSQS."
_START_EXECUTION = f"{_STEP_FUNCTIONS_TARGET}StartExecution"
_PUT_ITEM = f"{_DYNAMODB_TARGET}PutItem"
_BATCH = (b'"EVT#', b'"events"')
"""What the request for an append to a job's log contains."""
_NOT_EXECUTED = b'{"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError", "message": "held"}'


class Aws:
    """The WSGI application: the function host runs Lambda, this class calls DynamoDB, and moto does everything else."""

    def __init__(
        self,
        function_host: str | None,
        dynamodb_url: str | None = None,
        template: Template | None = None,
        *,
        published_latency: bool = False,
    ) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._functions = None if function_host is None else Upstream(function_host)
        self._access = AccessControl({}) if template is None else AccessControl.of(template)
        self._published_latency = published_latency
        self._held = HeldCalls()
        self.sources = EventSources(template, Deliveries(self._functions, self._held))
        streams = self.sources.streams
        self.dynamodb: moto_dynamodb.DynamoDb | UpstreamDynamoDb = (
            moto_dynamodb.DynamoDb(streams) if dynamodb_url is None else UpstreamDynamoDb(dynamodb_url, streams)
        )

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        target: str = environ.get("HTTP_X_AMZ_TARGET", "")
        if s3_posts.is_post(environ):
            return self._store_post(environ, start_response)
        path: str = environ["PATH_INFO"]
        role = role_of_signer(environ)
        if self._access.knows(role):
            refused = self._access.first_refused(role, accesses_of(environ))
            if refused is not None:
                return _access_denied(environ, start_response, role, refused)
            if target == _PUT_ITEM and all(part in _payload_of(environ) for part in _BATCH):
                self._access.appended[role] = None
        if path.startswith("/_millrace/"):
            return self._millrace(environ, start_response)
        operation = target.rpartition(".")[2] or environ["REQUEST_METHOD"]
        hold = self._held.take(role, operation, _payload_of(environ), path)
        if hold is not None and not hold.executed:
            hold.wait()
            start_response(status_line(500), [("Content-Type", "application/x-amz-json-1.0")])
            return [_NOT_EXECUTED]
        response = self._answer(environ, start_response, target, path)
        if hold is not None:
            hold.wait()
        return response

    def _answer(self, environ: Environ, start_response: StartResponse, target: str, path: str) -> Iterable[bytes]:
        if target.startswith(_DYNAMODB_TARGET):
            operation = target.removeprefix(_DYNAMODB_TARGET)
            began = time.monotonic()
            response = self._dynamodb(environ, start_response, operation)
            if self._published_latency:
                time.sleep(max(0.0, began + dynamodb_latency.draw(operation) - time.monotonic()))
            return response
        if path.startswith(_INVOCATIONS) and path.endswith("/invocations"):
            return self._invoke(environ, start_response)
        if target.startswith((_STEP_FUNCTIONS_TARGET, _SQS_TARGET)):
            fault = self.dynamodb.faults.take(target.partition(".")[2], _payload_of(environ))
            if fault is not None:
                start_response(status_line(fault[0]), [("Content-Type", "application/x-amz-json-1.0")])
                return [fault[1]]
        if target == _START_EXECUTION:
            moto_stepfunctions.record_trace(environ)
        if target.startswith(_SQS_TARGET):
            return self.sources.queues.call(lambda: list(self._moto(environ, start_response)))
        return list(self._moto(environ, start_response))

    def _dynamodb(self, environ: Environ, start_response: StartResponse, operation: str) -> Iterable[bytes]:
        payload = environ["wsgi.input"].read()
        headers = {"x-amz-target": environ["HTTP_X_AMZ_TARGET"], "Content-Type": environ.get("CONTENT_TYPE", "")}
        if isinstance(self.dynamodb, UpstreamDynamoDb):
            # DynamoDB Local keeps a separate database for each access key.
            signed_by_us = environ.get("HTTP_AUTHORIZATION", "").replace(
                f"Credential={role_of_signer(environ)}/", f"Credential={DUMMY_CREDENTIALS['aws_access_key_id']}/"
            )
            headers |= {"Authorization": signed_by_us, "X-Amz-Date": environ.get("HTTP_X_AMZ_DATE", "")}
        elif operation not in moto_dynamodb.CALLED_DIRECTLY:
            environ["wsgi.input"].seek(0)
            with self.dynamodb.lock:
                return list(self._moto(environ, start_response))
        status, body = self.dynamodb.call(operation, payload, headers)
        start_response(
            status_line(status),
            [
                ("Content-Type", "application/x-amz-json-1.0"),
                ("x-amzn-RequestId", uuid.uuid4().hex),
                ("x-amz-crc32", str(zlib.crc32(body))),
            ],
        )
        return [body]

    def _invoke(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        headers = {
            name: environ[f"HTTP_{name.upper().replace('-', '_')}"]
            for name in ("X-Amz-Invocation-Type", "X-Amz-Client-Context", "X-Amzn-Trace-Id")
            if f"HTTP_{name.upper().replace('-', '_')}" in environ
        }
        try:
            if self._functions is None:
                raise ConnectionRefusedError("no function host was given")
            status, response_headers, body = self._functions.post(
                environ["RAW_URI"], environ["wsgi.input"].read(), headers
            )
        except (OSError, http.client.HTTPException) as error:
            status = 500
            # Moto's Step Functions quotes the request's id, as AWS does, and fails without one.
            response_headers = [("x-amzn-ErrorType", "ServiceException"), ("x-amzn-RequestId", str(uuid.uuid4()))]
            body = json.dumps({"Type": "Service", "Message": f"the function host did not respond: {error}"}).encode()
        start_response(status_line(status), response_headers)
        return [body]

    def send_event(self, function: str, event: bytes) -> None:
        """Invoke a function by its name without waiting for its response, as EventBridge does. Raises OSError."""
        if self._functions is not None:
            self._functions.post(f"{_INVOCATIONS}{function}/invocations", event, {"X-Amz-Invocation-Type": "Event"})

    def _store_post(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Store the file of a form, as S3 does: if its policy allows it, and the role that signed it may."""
        origin = environ.get("HTTP_ORIGIN")
        headers = [("Access-Control-Allow-Origin", origin)] if origin else []
        try:
            posted = s3_posts.posted_file(environ, datetime.now(UTC))
        except s3_posts.PostRefused as refused:
            start_response(status_line(refused.status), [("Content-Type", "application/xml"), *headers])
            return [s3_posts.error_body(refused)]
        if self._access.knows(posted.role) and self._access.first_refused(posted.role, [posted.access]) is not None:
            return _access_denied(environ, start_response, posted.role, posted.access)
        stored: list[Any] = []
        body = list(self._moto(s3_posts.as_put(environ, posted), lambda *head: stored.extend(head)))
        if not stored[0].startswith("200"):
            start_response(*stored[:2])
            return body
        start_response(status_line(204), [*headers, *(each for each in stored[1] if each[0].lower() == "etag")])
        return [b""]

    def _millrace(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"].removeprefix("/_millrace/")
        body: Any
        if path == "healthz":
            status, body = 200, {"status": "ok"}
        elif path == "capacity":
            partition = parse_qs(environ["QUERY_STRING"]).get("partition")
            with self.dynamodb.lock:
                meter = self.dynamodb.meter
                status, body = 200, (meter.of(partition[0]) if partition else meter.total()).as_json()
        elif path == "capacity/tables":
            with self.dynamodb.lock:
                status, body = 200, self.dynamodb.meter.tables_as_json()
        elif path == "accesses":
            appended = tuple(self._access.appended)  # at once: calls that are answered now may add others
            status, body = 200, {**self._access.as_json(), "appended": [[role] for role in appended]}
        elif path == "faults" and environ["REQUEST_METHOD"] == "POST":
            self.dynamodb.faults.add(json.loads(environ["wsgi.input"].read()))
            status, body = 204, None
        elif path == "faults":
            status, body = 200, dict(self.dynamodb.faults.returned)
        elif path == "sources" and environ["REQUEST_METHOD"] == "POST":
            self.sources.change(json.loads(environ["wsgi.input"].read()))
            status, body = 204, None
        elif path == "sources":
            status, body = 200, self.sources.as_json()
        elif path == "hold":
            status, body = self._change_hold(environ)
        else:
            status, body = 404, {"message": "there is no such path"}
        start_response(status_line(status), [("Content-Type", "application/json")])
        return [b"" if body is None else json.dumps(body).encode()]

    def _change_hold(self, environ: Environ) -> tuple[int, Any]:
        """POST holds a call under the name in the query, GET shows it, and DELETE releases it."""
        (name,) = parse_qs(environ["QUERY_STRING"])["name"]
        if environ["REQUEST_METHOD"] == "POST":
            self._held.add(name, Hold(**json.loads(environ["wsgi.input"].read())))
        elif environ["REQUEST_METHOD"] == "DELETE":
            self._held.release(name)
            return 204, None
        return 200, self._held.as_json(name)


def _payload_of(environ: Environ) -> bytes:
    """Return the request's body, which can be read again."""
    payload: bytes = environ["wsgi.input"].read()
    environ["wsgi.input"].seek(0)
    return payload


def _access_denied(environ: Environ, start_response: StartResponse, role: str, refused: Access) -> Iterable[bytes]:
    message = access_denied(role, refused)
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
    """`python -m local.aws.server --port N | --fd N`; `--fd` is the descriptor of a listening socket."""
    parser = argparse.ArgumentParser(prog="python -m local.aws.server", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int)
    where.add_argument("--fd", type=int)
    parser.add_argument("--function-host", help="URL of the function host, to which invocations are forwarded")
    parser.add_argument("--dynamodb", help="URL of a DynamoDB to use instead of moto's")
    parser.add_argument("--published-latency", action="store_true", help="make DynamoDB respond no sooner than on AWS")
    parser.add_argument("--template", type=Path, help="enforce its policies, and follow its events")
    parser.add_argument("--origin", action="append", default=[], help="whose pages may read and write objects")
    options = parser.parse_args(arguments)
    template = None if options.template is None else Template(options.template)
    if options.fd is None:
        listener = socket.create_server(("127.0.0.1", options.port), backlog=512)
    else:
        listener = socket.socket(fileno=options.fd)
    moto_dynamodb.install()
    moto_stepfunctions.install(listener.getsockname()[1])
    application = Aws(options.function_host, options.dynamodb, template, published_latency=options.published_latency)
    if template is not None:
        moto_stepfunctions.report_ends(ExecutionEvents(template.event_rules, application.send_event).ended)
    application.sources.start()
    # Pages send and get files by presigned URLs, and send forms to the bucket itself.
    buckets = () if template is None else (f"/{bucket}" for bucket in template.buckets)
    serve(listener, application, origins=options.origin, pages_at=buckets)


if __name__ == "__main__":
    main()
