"""Moto's server with Lambda invocations forwarded to the function host and DynamoDB made exact, fast and metered.

The only file that touches moto's internals; `tests/contract/test_moto.py` covers each touch. Moto is pinned exactly.
"""

from __future__ import annotations

import argparse
import base64
import copy
import enum
import functools
import http.client
import json
import operator
import os
import socket
import sys
import threading
import types
import uuid
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import boto3
from botocore.config import Config
from moto.core.config import default_user_config
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import SecondaryIndex, Table
from moto.dynamodb.responses import DynamoHandler
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.exceptions import HTTPException

from local.aws_requests import accesses_of, role_of_signer
from local.capacity import ABSENT, CapacityMeter, Consumed, ItemFootprint, index_units, read_units, write_units
from local.credentials import DUMMY_CREDENTIALS
from local.dynamodb_faults import InjectedFaults
from local.dynamodb_upstream import UpstreamDynamoDb
from local.http_server import Environ, StartResponse, serve, status_line
from local.iam import Access, AccessControl
from local.intrinsics import ACCOUNT, REGION
from local.template import Template
from local.upstream import Upstream

_INVOCATIONS = "/2015-03-31/functions/"
_DYNAMODB_TARGET = "DynamoDB_20120810."
_START_EXECUTION = "AWSStepFunctions.StartExecution"
_FOREVER = 86_400  # seconds; a state's own TimeoutSeconds ends a wait, not the HTTP client

# What the event log and the job service do all day; everything else takes moto's own way in.
_FAST = {
    "PutItem": "put_item",
    "GetItem": "get_item",
    "UpdateItem": "update_item",
    "DeleteItem": "delete_item",
    "Query": "query",
    "BatchGetItem": "batch_get_item",
    "TransactWriteItems": "transact_write_items",
}


# ---- moto as it is, made faster ------------------------------------------------------------------------------------

original_query = Table.query
_queried = threading.local()


def query_one_partition(self: Table, hash_key: DynamoType | None, *args: Any, **kwargs: Any) -> Any:
    """Moto sorts the whole table to find one partition; given a copy of the table with nothing else in it, it need not.

    Indexes span partitions, so their queries run on the table itself.
    """
    index_name = kwargs.get("index_name") or (args[6] if len(args) > 6 else None)
    table = self
    if index_name is None and hash_key is not None:
        table = copy.copy(self)
        table.items = {hash_key: _narrow(self.items.get(hash_key, {}), *args[:2])}  # type: ignore[assignment]
    result = original_query(table, hash_key, *args, **kwargs)
    _queried.partition = None if hash_key is None else str(hash_key.value)
    _queried.size = sum(item.size() for item in result[0])
    return result


def _narrow(partition: Any, comparison: str | None = None, bounds: Sequence[DynamoType] = ()) -> Any:
    """Leave out what a range condition on strings excludes, before moto sorts and compares it item by item."""
    if comparison not in _COMPARISONS or any(bound.type != "S" for bound in bounds):
        return partition
    holds = _COMPARISONS[comparison]
    values = [bound.value for bound in bounds]
    return {key: item for key, item in partition.items() if key.type == "S" and holds(key.value, *values)}


# As moto spells them; UTF-8 order is code point order, so comparing strings is comparing their bytes.
_COMPARISONS: dict[str | None, Callable[..., bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "BEGINS_WITH": str.startswith,
    "BETWEEN": lambda value, low, high: low <= value <= high,
}


def copy_touched_partitions(self: Table, memo: dict[int, Any]) -> Table:
    """Moto copies a table to roll a transaction back; only the partitions the transaction names can change."""
    clone = copy.copy(self)
    memo[id(self)] = clone
    touched: set[DynamoType] | None = getattr(_queried, "touched", None)
    clone.items = copy.copy(self.items)
    for key, partition in self.items.items():
        if touched is None or key in touched:
            clone.items[key] = copy.deepcopy(partition, memo)
    return clone


@functools.lru_cache(maxsize=32)
def _client(region: str, service: str, role: str) -> Any:
    client = boto3.client(
        service,  # type: ignore[call-overload]
        region_name=region,
        endpoint_url=f"http://127.0.0.1:{os.environ['MOTO_PORT']}",
        **{**DUMMY_CREDENTIALS, "aws_access_key_id": role},
        config=Config(
            parameter_validation=False,
            retries={"total_max_attempts": 1},
            connect_timeout=_FOREVER,
            read_timeout=_FOREVER,
            max_pool_connections=256,
        ),
    )
    client.meta.events.register("before-call.lambda.Invoke", _add_trace)
    return client


def _shared_client_for(region: str, service: str, state_credentials: Any) -> Any:
    """Moto makes a boto3 client for every task it runs (10 ms); one for each state machine's role will do."""
    return _client(region, service, state_credentials.role_arn.rpartition("/")[2])


def install(port: int) -> None:
    """Make moto execute state machines against the server on `port`, and apply the shortcuts above; idempotent."""
    os.environ["MOTO_PORT"] = str(port)
    default_user_config["stepfunctions"]["execute_state_machine"] = True
    Table.query = query_one_partition  # type: ignore[method-assign]
    Table.__deepcopy__ = copy_touched_partitions  # type: ignore[attr-defined]
    _client.cache_clear()
    install_in_state_language()


def install_in_state_language() -> None:
    """Moto parses a definition again for every execution (0.1 s); the tree is the same, the program is made anew."""
    # Importing the interpreter imports AWS Batch for one enumeration, which imports EC2 and its catalogue of instance
    # types: 1.5 s for nothing. A stand-in serves until the import is done.
    stand_ins = {name: types.ModuleType(name) for name in ("moto.batch", "moto.batch.utils") if name not in sys.modules}
    for stand_in in stand_ins.values():
        vars(stand_in)["JobStatus"] = enum.Enum("JobStatus", ["SUCCEEDED", "FAILED"])
    sys.modules.update(stand_ins)
    from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils  # noqa: PLC0415
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser  # noqa: PLC0415
    from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor  # noqa: PLC0415

    for name in stand_ins:
        del sys.modules[name]
    vars(lambda_eval_utils)["boto_client_for"] = _shared_client_for
    _hand_on_traces(lambda_eval_utils)
    if hasattr(AmazonStateLanguageParser.parse, "cached"):
        return  # done before
    original = AmazonStateLanguageParser.parse

    @functools.lru_cache(maxsize=64)
    def tree_of(definition: str) -> Any:
        return original(definition)[1]

    def parse(definition: str) -> tuple[Any, Any]:
        tree = tree_of(definition)
        return Preprocessor().visit(tree), tree

    vars(parse)["cached"] = True
    AmazonStateLanguageParser.parse = staticmethod(parse)  # type: ignore[method-assign]


_invoking = threading.local()
_traces: dict[str, str] = {}
"""Execution → the trace header it was started with."""


def _note_trace(environ: Environ) -> None:
    """From the request's header or body, of which the first counts; a name is used once, its first start is the one."""
    request = environ["wsgi.input"]
    body = json.loads(request.read())
    request.seek(0)
    trace = environ.get("HTTP_X_AMZN_TRACE_ID") or body.get("traceHeader")
    if trace and "name" in body:
        arn = body["stateMachineArn"].replace(":stateMachine:", ":execution:")
        _traces.setdefault(f"{arn}:{body['name']}", trace)


def _hand_on_traces(lambda_eval_utils: types.ModuleType) -> None:
    """Step Functions calls Lambda in the trace that the execution was started in; moto forgets it on the way."""
    original = vars(lambda_eval_utils)["execute_lambda_function_integration"]
    if hasattr(original, "hands_on_traces"):
        return  # done before

    def execute(env: Any, *args: Any, **kwargs: Any) -> None:
        arn = env.states.context_object.context_object_data["Execution"]["Id"]
        _invoking.trace = _traces.get(arn)
        original(env, *args, **kwargs)

    vars(execute)["hands_on_traces"] = True
    vars(lambda_eval_utils)["execute_lambda_function_integration"] = execute


def _add_trace(params: dict[str, Any], **_: Any) -> None:
    trace = getattr(_invoking, "trace", None)
    if trace:
        params["headers"]["X-Amzn-Trace-Id"] = trace


# ---- DynamoDB ------------------------------------------------------------------------------------------------------


class DynamoDb:
    """Runs DynamoDB operations on moto one at a time, straight on its handler, and meters them.

    Moto's DynamoDB is not thread-safe: without the lock 20 concurrent writers lose half of their puts. What the meter
    does not know exactly: a query's size is that of the items it returns (not of those a filter dropped), and index
    writes are counted on the partition of the item.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.meter = CapacityMeter()
        self.faults = InjectedFaults()

    def call(self, operation: str, payload: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and JSON body of one of the operations in `_FAST`."""
        fault = self.faults.take(operation, payload)
        if fault is not None:
            return fault
        body = json.loads(payload)
        handler = DynamoHandler()
        handler.region = REGION
        handler.current_account = ACCOUNT
        handler.headers = headers
        handler.querystring = {}
        handler.response_headers = {}
        handler.body = handler.params = body
        with self.lock:
            status, answer = self._run(handler, operation, body)
        return status, answer if isinstance(answer, bytes) else json.dumps(answer, default=_encode_bytes).encode()

    def _run(self, handler: DynamoHandler, operation: str, body: dict[str, Any]) -> tuple[int, Any]:
        writes: list[_Write] = []
        try:
            if operation in _WRITES:
                writes = [_Write(change, factor) for change, factor in _changes(body)]
            _queried.touched = {write.partition for write in writes}
            result = getattr(handler, _FAST[operation])().result
        except ServiceException as error:
            status, _, text = handler.serialized(ActionResult(error))
            self._meter_writes(writes)
            return status, text.encode() if isinstance(text, str) else text
        except HTTPException as error:
            self._meter_writes(writes)
            return error.code or 500, str(error.description).encode()
        finally:
            _queried.touched = None
        result.pop("ConsumedCapacityUnits", None)  # moto's own, and not of the wire format
        self._meter_writes(writes)
        self._meter_reads(operation, body)
        return 200, result

    def _meter_writes(self, writes: list[_Write]) -> None:
        for write in writes:
            self.meter.charge(write.table, str(write.partition.value), write.consumed())

    def _meter_reads(self, operation: str, body: dict[str, Any]) -> None:
        if operation == "Query" and _queried.partition is not None:
            units = read_units(_queried.size, consistent=bool(body.get("ConsistentRead")))
            self.meter.charge(body["TableName"], _queried.partition, Consumed(read_units=units, requests=1))
        elif operation == "GetItem":
            self._meter_get(body["TableName"], body["Key"], consistent=bool(body.get("ConsistentRead")))
        elif operation == "BatchGetItem":
            for table_name, request in body["RequestItems"].items():
                for key in request["Keys"]:
                    self._meter_get(table_name, key, consistent=bool(request.get("ConsistentRead")))

    def _meter_get(self, table_name: str, key: dict[str, Any], *, consistent: bool) -> None:
        table = _table(table_name)
        item = _find(table, key)
        units = read_units(0 if item is None else item.size(), consistent=consistent)
        partition = str(DynamoType(key[table.hash_key_attr]).value)
        self.meter.charge(table_name, partition, Consumed(read_units=units, requests=1))


_WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"}


def _changes(body: dict[str, Any]) -> Iterable[tuple[dict[str, Any], int]]:
    """The single writes of a request, each with the factor it is billed at."""
    if "TransactItems" not in body:
        return [(body, 1)]
    return [(next(iter(entry.values())), 2) for entry in body["TransactItems"]]


class _Write:
    """One item about to be written: remembers what it was, to say afterwards what the write cost."""

    def __init__(self, change: dict[str, Any], factor: int) -> None:
        self.table = change["TableName"]
        self._table = _table(self.table)
        self._key = change["Item"] if "Item" in change else change["Key"]
        self._factor = factor
        self.partition = DynamoType(self._key[self._table.hash_key_attr])
        self._before = self._footprint()

    def consumed(self) -> Consumed:
        after = self._footprint()
        indexes = {name: units * self._factor for name, units in index_units(self._before, after).items()}
        return Consumed(write_units(self._before, after) * self._factor, requests=1, index_units=Counter(indexes))

    def _footprint(self) -> ItemFootprint:
        item = _find(self._table, self._key)
        if item is None:
            return ABSENT
        indexed = {}
        for index in self._table.global_indexes:
            if all(name in item.attrs for name in index.schema_key_attrs):
                key = repr([item.attrs[name] for name in index.schema_key_attrs])
                indexed[index.name] = (key, *_projected(index, item))
        return ItemFootprint(item.size(), indexed)


def _projected(index: SecondaryIndex, item: Item) -> tuple[str, int]:
    """What of an item an index holds, as text to compare, and its size."""
    kind = index.projection.get("ProjectionType", "ALL")
    names = {*index.table_key_attrs, *index.schema_key_attrs, *index.projection.get("NonKeyAttributes", [])}
    attributes = {name: value for name, value in item.attrs.items() if kind == "ALL" or name in names}
    return repr(attributes), sum(len(name) + value.size() for name, value in attributes.items())


def _table(name: str) -> Table:
    return dynamodb_backends[ACCOUNT][REGION].get_table(name)


def _find(table: Table, key: dict[str, Any]) -> Item | None:
    partition: Any = table.items.get(DynamoType(key[table.hash_key_attr]))
    if partition is None or table.range_key_attr is None:
        return partition  # type: ignore[no-any-return]
    return partition.get(DynamoType(key[table.range_key_attr]))  # type: ignore[no-any-return]


def _encode_bytes(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} in a DynamoDB answer")


# ---- the server ----------------------------------------------------------------------------------------------------


class Aws:
    """The WSGI application: Lambda by the function host, DynamoDB by the shortcuts above or by another server.

    All else is moto's.
    """

    def __init__(
        self, function_host: str | None, dynamodb_url: str | None = None, access: AccessControl | None = None
    ) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._functions = None if function_host is None else Upstream(function_host)
        self.dynamodb = DynamoDb() if dynamodb_url is None else UpstreamDynamoDb(dynamodb_url)
        self._access = access or AccessControl({})

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        target: str = environ.get("HTTP_X_AMZ_TARGET", "")
        path: str = environ["PATH_INFO"]
        role = role_of_signer(environ)
        if self._access.knows(role):
            refused = self._access.first_refused(role, accesses_of(environ))
            if refused is not None:
                return _access_denied(environ, start_response, role, refused)
        if target.startswith(_DYNAMODB_TARGET):
            return self._dynamodb(environ, start_response, target.removeprefix(_DYNAMODB_TARGET))
        if path.startswith(_INVOCATIONS) and path.endswith("/invocations"):
            return self._invoke(environ, start_response)
        if path.startswith("/_millrace/"):
            return self._own(environ, start_response)
        if target == _START_EXECUTION:
            _note_trace(environ)
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
        elif operation not in _FAST or b'"B"' in payload or b'"BS"' in payload:
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
    """`python -m local.aws --port N | --fd N [--function-host URL] [--dynamodb URL] [--template FILE]`.

    The socket of `--fd` listens.
    """
    parser = argparse.ArgumentParser(prog="python -m local.aws", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int)
    where.add_argument("--fd", type=int)
    parser.add_argument("--function-host", help="where invocations are passed on to, http://host:port")
    parser.add_argument("--dynamodb", help="where DynamoDB is, if not here: http://host:port")
    parser.add_argument("--template", type=Path, help="whose roles may do what their policies allow, and no more")
    options = parser.parse_args(arguments)
    access = None if options.template is None else AccessControl.of(Template(options.template))
    if options.fd is None:
        listener = socket.create_server(("127.0.0.1", options.port), backlog=512)
    else:
        listener = socket.socket(fileno=options.fd)
    install(listener.getsockname()[1])
    # The default of 5 ms lets one long operation keep every other connection waiting for its turn.
    sys.setswitchinterval(0.001)
    serve(listener, Aws(options.function_host, options.dynamodb, access))


if __name__ == "__main__":
    main()
