"""Moto's Step Functions: state machines executed against the local stack's own server, each as its role.

Touches moto's internals; `tests/contract/test_moto.py` covers each touch. Moto is pinned exactly.
"""

from __future__ import annotations

import enum
import functools
import json
import os
import sys
import threading
import types
from typing import Any

import boto3
from botocore.config import Config
from moto.core.config import default_user_config

from local.aws.credentials import DUMMY_CREDENTIALS
from local.aws.http_server import Environ

_FOREVER = 86_400  # seconds; a state's own TimeoutSeconds ends a wait, not the HTTP client


def install(port: int) -> None:
    """Make moto execute state machines against the server on `port`; idempotent."""
    os.environ["MOTO_PORT"] = str(port)
    default_user_config["stepfunctions"]["execute_state_machine"] = True
    _client.cache_clear()
    install_in_state_language()


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


def note_trace(environ: Environ) -> None:
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
