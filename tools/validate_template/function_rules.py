"""Rules for functions: the naming chain, and an explicit timeout, memory, log group and alarm for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tools.validate_template.document import Document, Resource, snake_case
from tools.validate_template.findings import Finding

METRICS_OF_AN_ALARM = 10
"""The maximum number of metrics in an alarm's metric math expression, a hard limit of CloudWatch.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html
"""
# Variables of Lambda and the web adapter. They configure one process, and the local stack sets none of them.
_RUNTIME_VARIABLES = ("AWS_LAMBDA_", "AWS_LWA_")


def check_functions(document: Document) -> Iterator[Finding]:
    """Yield the findings of every function, then the differences between the template and the folders."""
    for function in document.functions:
        yield from _naming_chain(document, function)
        yield from _limits(document, function)
        yield from _log_group(document, function)
        if not _has_errors_alarm(document, function.logical_id):
            yield Finding(function.logical_id, "has no alarm on its Errors")
    yield from _alarms(document)
    yield from _strays(document)
    yield from _one_value_per_variable(document)


def _folder(function: Resource) -> str:
    return snake_case(function.logical_id.removesuffix("Function"))


def _group(function: Resource) -> str | None:
    """Return the group's folder: `jobs` of `functions/jobs/create_job/`; None if CodeUri breaks the naming chain.

    A function that is its own group has no folder in between: `console` of `functions/console/`.
    """
    folder = _folder(function)
    match str(function.properties.get("CodeUri")).split("/"):
        case ["functions", group, named, ""] if named == folder:
            return group
        case ["functions", named, ""] if named == folder:
            return folder
    return None


def _naming_chain(document: Document, function: Resource) -> Iterator[Finding]:
    folder = _folder(function)
    if not function.logical_id.endswith("Function"):
        yield Finding(function.logical_id, "a function's logical id ends in Function")
    group = _group(function)
    if group is None:
        yield Finding(f"{function.logical_id}.CodeUri", f"must be functions/<group>/{folder}/, by the naming chain")
    if function.properties.get("FunctionName") != {"Fn::Sub": f"${{AWS::StackName}}-{folder}"}:
        yield Finding(f"{function.logical_id}.FunctionName", f"must be !Sub ${{AWS::StackName}}-{folder}")
    code = str(function.properties.get("CodeUri"))
    if not (document.folder / code / "app.py").is_file():
        yield Finding(function.logical_id, f"there is no {code}app.py")
    if group is not None and not list((document.folder / "events" / group).glob(f"{folder}.*.json")):
        yield Finding(function.logical_id, f"there is no events/{group}/{folder}.<case>.json")


def _limits(document: Document, function: Resource) -> Iterator[Finding]:
    for name in ("Timeout", "MemorySize"):
        if not isinstance(function.properties.get(name), int):
            yield Finding(f"{function.logical_id}.{name}", "must be written out as a number")
    timeout = function.properties.get("Timeout")
    window = document.environment(function).get("STREAM_WINDOW_SECONDS")
    if window is not None and isinstance(timeout, int) and timeout <= int(window):
        yield Finding(f"{function.logical_id}.Timeout", f"leaves no room after a stream window of {window} s")


def _log_group(document: Document, function: Resource) -> Iterator[Finding]:
    expected = f"{''.join(word.title() for word in str(_group(function)).split('_'))}Logs"
    if (function.properties.get("LoggingConfig") or {}).get("LogGroup") != {"Ref": expected}:
        yield Finding(f"{function.logical_id}.LoggingConfig", f"must name the log group {expected}")
    group = document.resources.get(expected)
    if group is None or group.type != "AWS::Logs::LogGroup":
        yield Finding(function.logical_id, f"there is no log group {expected}")
    elif "RetentionInDays" not in group.properties:
        yield Finding(f"{expected}.RetentionInDays", "is missing: logs would be kept, and billed, for ever")


def _has_errors_alarm(document: Document, logical_id: str) -> bool:
    dimension: dict[str, Any] = {"Name": "FunctionName", "Value": {"Ref": logical_id}}
    return any(
        metric.get("MetricName") == "Errors" and dimension in (metric.get("Dimensions") or [])
        for alarm in document.of_type("AWS::CloudWatch::Alarm")
        for metric in _metrics(alarm)
    )


def _metrics(alarm: Resource) -> Iterator[dict[str, Any]]:
    """Yield the metrics that the alarm's expression refers to, or its only one."""
    entries = alarm.properties.get("Metrics")
    if entries is None:
        yield dict(alarm.properties)
    else:
        yield from (entry["MetricStat"]["Metric"] for entry in entries if "MetricStat" in entry)


def _alarms(document: Document) -> Iterator[Finding]:
    for alarm in document.of_type("AWS::CloudWatch::Alarm"):
        metrics = len(list(_metrics(alarm)))
        if metrics > METRICS_OF_AN_ALARM:
            yield Finding(alarm.logical_id, f"refers to {metrics} metrics; CloudWatch takes {METRICS_OF_AN_ALARM}")


def _strays(document: Document) -> Iterator[Finding]:
    known = {_folder(function) for function in document.functions}
    for app in sorted((document.folder / "functions").rglob("app.py")):
        if app.parent.name not in known:
            yield Finding(str(app.parent.relative_to(document.folder)), "is no function of the template")
    for event in sorted((document.folder / "events").rglob("*.*")):
        if event.name.split(".", 1)[0] not in known:
            yield Finding(str(event.relative_to(document.folder)), "belongs to no function of the template")


def _one_value_per_variable(document: Document) -> Iterator[Finding]:
    """Yield the variables with several values: the local host runs all functions in one process with all variables."""
    first: dict[str, tuple[str, Any]] = {}
    for function in document.functions:
        for name, value in document.environment(function).items():
            if name.startswith(_RUNTIME_VARIABLES):
                continue
            owner, known = first.setdefault(name, (function.logical_id, value))
            if known != value:
                yield Finding(f"{function.logical_id}.{name}", f"has another value than in {owner}")
