"""`python -m tests.bench.cold.powertools`: the CPU of each Powertools utility, beside our own code for the same.

Every figure is the least of several fresh processes, which run the built layers as Lambda does (`make build` first).
docs/decisions/0018-powertools.md has a table of one run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import textwrap
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from tests.contract.build_output import LAYERS, RUNTIME, missing

ROUNDS = 9

FUNCTION = """
import json, os, sys
from shared.bootstrap import core
from shared.observability.log import log
from shared.observability.metrics import metrics
from shared.jobs.invocation import StageInvocation
from shared.storage import aws
aws.dynamodb()
event = {"jobId": "job_1", "generation": 1, "retry": 0}
StageInvocation.model_validate(event)
sink = open(os.devnull, "w")
"""
"""What a function without the package has loaded and made at the end of its first invocation."""

PACKAGE = "import aws_lambda_powertools\n"

OWN_LINE = """
directive = {"Namespace": "Millrace", "Dimensions": [["stage", "service"]], "Metrics": [{"Name": "A", "Unit": "Count"}]}
about = {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]}
sink.write(json.dumps({"_aws": about, "stage": "s", "service": "millrace", "A": [1]}, separators=(",", ":")) + "\\n")
"""
EMF_LINE = """
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider
provider = AmazonCloudWatchEMFProvider(namespace="Millrace", service="millrace")
provider.add_dimension("stage", "s")
provider.add_metric("A", "Count", 1)
sink.write(json.dumps(provider.serialize_metric_set(), separators=(",", ":")) + "\\n")
"""
GATEWAY_EVENT = 'request = {"requestContext": {"authorizer": {"jwt": {"claims": {"sub": "user"}}}}}\n'
IDEMPOTENCY = """
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent_function
client = aws.dynamodb()
client.put_item = client.update_item = lambda **_: {}
store = DynamoDBPersistenceLayer(table_name="t", key_attr="PK", sort_key_attr="SK", boto3_client=client)
@idempotent_function(data_keyword_argument="data", persistence_store=store, config=IdempotencyConfig())
def made(data): return {"jobId": "job_1"}
"""
PARAMETERS = """
from aws_lambda_powertools.utilities.parameters import SecretsProvider
client = aws.secretsmanager()
client.get_secret_value = lambda **_: {"SecretString": "text"}
provider = SecretsProvider(boto3_client=client)
"""
INJECTED = """
from aws_lambda_powertools import Logger
from types import SimpleNamespace
logger = Logger(location=None, stream=sink)
context = SimpleNamespace(function_name="f", memory_limit_in_mb=512, invoked_function_arn="arn", aws_request_id="id")
@logger.inject_lambda_context
def handler(event, context): return event
"""
TRACER = """
from aws_lambda_powertools import Tracer
tracer = Tracer(service="millrace", auto_patch=False)
@tracer.capture_method
def traced(): return 1
"""


@dataclass(frozen=True, slots=True)
class Case:
    """Code that loads something, and code that uses it once, both after `before` in a function that has run."""

    name: str
    before: str
    load: str
    use: str
    function: str = FUNCTION


CASES = (
    Case("to compare: a plain boto3 client", "", "import boto3\nboto3.client('dynamodb')", "", function=""),
    Case("the package, with a Logger and its first line", "", INJECTED, "logger.info('a', extra={'job_id': 'job_1'})"),
    Case("a metric: our own line", "", "import time", OWN_LINE),
    Case("a metric: EMF provider, package not loaded", "", "", EMF_LINE),
    Case("a metric: EMF provider, package loaded", PACKAGE, "", EMF_LINE),
    Case("an event: our model", "", "", "StageInvocation.model_validate(event)"),
    Case(
        "an event: Parser",
        PACKAGE,
        "from aws_lambda_powertools.utilities.parser import parse",
        "parse(event, StageInvocation)",
    ),
    Case(
        "an event: Parser with an envelope",
        PACKAGE,
        "from aws_lambda_powertools.utilities.parser import parse\n"
        "from aws_lambda_powertools.utilities.parser.envelopes import EventBridgeEnvelope",
        "",
    ),
    Case(
        "the caller: our own look-up",
        GATEWAY_EVENT,
        "",
        'request["requestContext"].get("authorizer", {}).get("jwt", {}).get("claims", {}).get("sub")',
    ),
    Case(
        "the caller: event source data class",
        PACKAGE + GATEWAY_EVENT,
        "from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2",
        'APIGatewayProxyEventV2(request).request_context.authorizer.jwt_claim["sub"]',
    ),
    Case("Idempotency, without its requests", PACKAGE, IDEMPOTENCY, 'made(data={"key": str(os.urandom(8))})'),
    Case(
        "a secret: Parameters, without its request",
        PACKAGE + "aws.secretsmanager()\n",
        PARAMETERS,
        'provider.get("s")',
    ),
    Case("inject_lambda_context", INJECTED, "", "handler(event, context)"),
    Case("a span: our own", "", "from shared.observability import tracing", "with tracing.span('s'): pass"),
    Case("a span: Tracer", PACKAGE, TRACER, "traced()"),
    Case("a batch of records: Batch", PACKAGE, "from aws_lambda_powertools.utilities.batch import BatchProcessor", ""),
)

PROGRAM = """
import gc, sys, time
gc.set_threshold(500_000)
before, load, use = {before!r}, {load!r}, {use!r}
names = {{}}
def spent(code):
    compiled = compile(code, "case", "exec")
    began = time.process_time_ns()
    exec(compiled, names)
    return (time.process_time_ns() - began) / 1e6
spent(before)
loaded = spent(load)
first = spent("def use():\\n" + use + "\\nuse()")
later = spent("for _ in range(500): use()") / 500 * 1000
print(loaded, first, later, file=sys.stderr)
"""


def program(case: Case) -> str:
    """Return a program that writes to stderr: milliseconds of loading and of the first use, microseconds of a later."""
    use = textwrap.indent(case.use or "pass", "    ")
    return PROGRAM.format(before=case.function + case.before, load=case.load, use=use)


def environment(*paths: str) -> dict[str, str]:
    """Return the variables of a process that finds packages in these folders, and thinks that it runs in Lambda."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
        "POWERTOOLS_SERVICE_NAME": "millrace",
        "POWERTOOLS_METRICS_NAMESPACE": "Millrace",
        "AWS_LAMBDA_FUNCTION_NAME": "millrace-function",
        "LAMBDA_TASK_ROOT": "/var/task",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }


def measure(case: Case, rounds: int, paths: list[str]) -> tuple[float, float, float] | None:
    """Return the least of every figure; None if a package is not installed."""
    variables = environment(*map(str, LAYERS), *paths)
    figures: list[list[float]] = []
    for _ in range(rounds):
        done = subprocess.run(
            [RUNTIME, "-P", "-c", program(case)], env=variables, capture_output=True, text=True, check=False
        )
        if "ModuleNotFoundError" in done.stderr:
            return None
        if done.returncode:
            raise SystemExit(f"{case.name}:\n{done.stderr}")
        figures.append([float(figure) for figure in done.stderr.splitlines()[-1].split()])
    loaded, first, later = (min(column) for column in zip(*figures, strict=True))
    return loaded, first, later


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="processes per case, of which the least counts")
    parser.add_argument("--path", action="append", default=[], help="a folder with further packages (aws-xray-sdk)")
    options = parser.parse_args()
    if reason := missing():
        raise SystemExit(reason)
    table = Table(title="CPU of Powertools' utilities, of a process that has started", title_justify="left")
    table.add_column("what")
    for heading in ("import, ms", "first use, ms", "later use, µs"):
        table.add_column(heading, justify="right")
    for case in CASES:
        figures = measure(case, options.rounds, options.path)
        table.add_row(case.name, *(("not installed",) if figures is None else (f"{each:.1f}" for each in figures)))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
