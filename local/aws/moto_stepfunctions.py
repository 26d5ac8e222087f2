"""Changes moto's Step Functions: each state machine calls the local stack's own server as its own role.

It relies on moto's internals: `tests/contract/test_moto.py` tests each place, and moto is pinned exactly.
"""

from __future__ import annotations

import enum
import functools
import json
import os
import pickle
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from moto.core.config import default_user_config

from local.aws.credentials import DUMMY_CREDENTIALS
from local.aws.http_server import Environ

_NO_LIMIT = 86_400  # seconds; a state's own TimeoutSeconds ends a wait, not the HTTP client


StatusChange = Callable[[dict[str, Any]], None]
"""Gets DescribeExecution's fields of an execution that has ended."""


def report_ends(report: StatusChange) -> None:
    """Call `report` after each execution has ended, in its own thread. moto sends no such events itself."""
    from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication  # noqa: PLC0415

    reflect = BaseExecutionWorkerCommunication.terminated

    def terminated(self: BaseExecutionWorkerCommunication) -> None:
        reflect(self)
        _traces.pop(self.execution.exec_arn, None)
        report(dict(self.execution.to_describe_output()))

    BaseExecutionWorkerCommunication.terminated = terminated  # type: ignore[method-assign]


def install(port: int) -> None:
    """Make moto execute state machines against the server on `port`. Calling it again has no effect."""
    os.environ["MOTO_PORT"] = str(port)
    default_user_config["stepfunctions"]["execute_state_machine"] = True
    _client.cache_clear()
    install_parser_cache()


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
            connect_timeout=_NO_LIMIT,
            read_timeout=_NO_LIMIT,
            max_pool_connections=256,
        ),
    )
    client.meta.events.register("before-call.lambda.Invoke", _add_trace)
    return client


def _shared_client_for(region: str, service: str, state_credentials: Any) -> Any:
    """Return one client for each state machine's role: moto would create one for every task, in 10 ms."""
    return _client(region, service, state_credentials.role_arn.rpartition("/")[2])


def install_parser_cache() -> None:
    """Parse each definition once: moto parses it for every execution, in 0.1 s, and builds the program in 12 ms.

    An execution's program holds state, so each gets its own, which is unpickled in 0.5 ms.
    """
    # The interpreter imports AWS Batch for one enumeration, and Batch imports EC2 with its catalogue of instance types,
    # which takes 1.5 s. A stand-in replaces Batch until the import is done.
    stand_ins = {name: types.ModuleType(name) for name in ("moto.batch", "moto.batch.utils") if name not in sys.modules}
    for stand_in in stand_ins.values():
        vars(stand_in)["JobStatus"] = enum.Enum("JobStatus", ["SUCCEEDED", "FAILED"])
    sys.modules.update(stand_ins)
    from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils  # noqa: PLC0415
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser  # noqa: PLC0415
    from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor  # noqa: PLC0415
    from moto.stepfunctions.parser.asl.utils import json_path  # noqa: PLC0415

    for name in stand_ins:
        del sys.modules[name]
    vars(lambda_eval_utils)["boto_client_for"] = _shared_client_for
    _forward_traces(lambda_eval_utils)
    if hasattr(AmazonStateLanguageParser.parse, "cached"):
        return  # done before
    # A path is parsed for every value that is read, and the parser's tables are built for every path.
    vars(json_path)["parse"] = functools.lru_cache(maxsize=256)(vars(json_path)["parse"])
    original = AmazonStateLanguageParser.parse

    @functools.lru_cache(maxsize=64)
    def parsed(definition: str) -> tuple[bytes | None, Any]:
        program, tree = original(definition)
        try:
            return pickle.dumps(program), tree
        except (pickle.PicklingError, TypeError, AttributeError):
            return None, tree

    def parse(definition: str) -> tuple[Any, Any]:
        program, tree = parsed(definition)
        if program is None:
            return Preprocessor().visit(tree), tree
        return pickle.loads(program), tree  # noqa: S301 - pickled by this process

    vars(parse)["cached"] = True
    AmazonStateLanguageParser.parse = staticmethod(parse)  # type: ignore[method-assign]


_invoking = threading.local()
_traces: dict[str, str] = {}
"""Running execution → the trace header of the request that started it."""


def record_trace(environ: Environ) -> None:
    """Record the trace of a StartExecution, from its header or else its body. A repeated start does not change it."""
    request = environ["wsgi.input"]
    body = json.loads(request.read())
    request.seek(0)
    trace = environ.get("HTTP_X_AMZN_TRACE_ID") or body.get("traceHeader")
    if trace and "name" in body:
        arn = body["stateMachineArn"].replace(":stateMachine:", ":execution:")
        _traces.setdefault(f"{arn}:{body['name']}", trace)


def _forward_traces(lambda_eval_utils: types.ModuleType) -> None:
    """Let an execution call Lambda in the trace that started it, as Step Functions does; moto loses the trace."""
    original = vars(lambda_eval_utils)["execute_lambda_function_integration"]
    if hasattr(original, "forwards_traces"):
        return  # done before

    def execute(env: Any, *args: Any, **kwargs: Any) -> None:
        arn = env.states.context_object.context_object_data["Execution"]["Id"]
        _invoking.trace = _traces.get(arn)
        original(env, *args, **kwargs)

    vars(execute)["forwards_traces"] = True
    vars(lambda_eval_utils)["execute_lambda_function_integration"] = execute


def _add_trace(params: dict[str, Any], **_: Any) -> None:
    trace = getattr(_invoking, "trace", None)
    if trace:
        params["headers"]["X-Amzn-Trace-Id"] = trace
