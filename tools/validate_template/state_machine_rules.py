"""Rules for state machines: a complete graph, known errors, Task timeouts, and a failed end for failed jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import MillraceError, TransientFault
from tools.validate_template.document import Document, StateMachine, nested_definitions, snake_case
from tools.validate_template.findings import Finding

# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html and, for lambda:invoke,
# https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
_AWS_ERRORS = frozenset(
    {
        "States.ALL",
        "States.BranchFailed",
        "States.DataLimitExceeded",
        "States.ExceedToleratedFailureThreshold",
        "States.HeartbeatTimeout",
        "States.IntrinsicFailure",
        "States.ItemReaderFailed",
        "States.NoChoiceMatched",
        "States.ParameterPathFailure",
        "States.Permissions",
        "States.ResultPathMatchFailure",
        "States.ResultWriterFailed",
        "States.Runtime",
        "States.TaskFailed",
        "States.Timeout",
        "Lambda.AWSLambdaException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.SdkClientException",
        "Lambda.ServiceException",
        "Lambda.TooManyRequestsException",
        "Lambda.Unknown",
        "Runtime.ExitError",
        "Sandbox.Timedout",
    }
)
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_VERB_NOUN = re.compile(r"(?:[A-Z][a-z0-9]+){2,}")
_QUESTION = re.compile(r"(?:Is|Has)[A-Z]\w+")
_LAMBDA = "arn:aws:states:::lambda:invoke"
_MOST_ITERATIONS = 40
"""How many iterations of an inline Map run at the same time, at most.

https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html
"""


def _tree(error: type[MillraceError]) -> Iterator[type[MillraceError]]:
    yield error
    for child in error.__subclasses__():
        yield from _tree(child)


# Functions raise leaf classes only, because Step Functions compares names and does not know base classes.
_OWN_ERRORS = frozenset(error.__name__ for error in _tree(MillraceError) if not error.__subclasses__())
_TRANSIENT = frozenset(error.__name__ for error in _tree(TransientFault) if not error.__subclasses__())


@dataclass(frozen=True, slots=True)
class _Scope:
    """States that can refer to each other: those of a machine, of one branch or of one iteration (`nested`)."""

    place: str
    start: str
    states: Mapping[str, Mapping[str, Any]]
    nested: bool


def check_state_machines(document: Document) -> Iterator[Finding]:
    """Yield the findings of every state machine, then the files that belong to no state machine."""
    for machine in document.state_machines:
        yield from _naming_chain(document, machine)
        if machine.definition is None:
            continue
        yield from _substitutions(machine)
        if not isinstance(machine.definition.get("TimeoutSeconds"), int):
            yield Finding(machine.file.name, "TimeoutSeconds is missing: an execution could last a year")
        for scope in _scopes(machine.file.name, machine.definition):
            yield from _graph(scope)
            for name, state in scope.states.items():
                yield from _state(document, f"{scope.place}.{name}", name, state)
            yield from _failures(scope)
    used = {machine.file.name for machine in document.state_machines}
    for file in sorted((document.folder / "statemachines").glob("*")):
        if file.name not in used:
            yield Finding(f"statemachines/{file.name}", "belongs to no state machine of the template")


def _naming_chain(document: Document, machine: StateMachine) -> Iterator[Finding]:
    pipeline = snake_case(machine.logical_id.removesuffix("StateMachine"))
    if machine.file != document.folder / "statemachines" / f"{pipeline}.asl.yaml":
        yield Finding(f"{machine.logical_id}.DefinitionUri", f"must be statemachines/{pipeline}.asl.yaml")
    elif machine.definition is None:
        yield Finding(f"{machine.logical_id}.DefinitionUri", f"there is no {machine.file.name}")
    if machine.properties.get("Name") != {"Fn::Sub": f"${{AWS::StackName}}-{pipeline}"}:
        yield Finding(f"{machine.logical_id}.Name", f"must be !Sub ${{AWS::StackName}}-{pipeline}")
    if "Logging" not in machine.properties:
        yield Finding(f"{machine.logical_id}.Logging", "is missing")
    dimension = {"Name": "StateMachineArn", "Value": {"Ref": machine.logical_id}}
    watched = {
        alarm.properties.get("MetricName")
        for alarm in document.of_type("AWS::CloudWatch::Alarm")
        if dimension in (alarm.properties.get("Dimensions") or [])
    }
    for metric in ("ExecutionsFailed", "ExecutionsTimedOut", "ExecutionThrottled"):
        if metric not in watched:
            yield Finding(machine.logical_id, f"has no alarm on {metric}")


def _substitutions(machine: StateMachine) -> Iterator[Finding]:
    wanted = set(_PLACEHOLDER.findall(json.dumps(machine.definition)))
    supplied = set(machine.substitutions)
    for name in sorted(wanted - supplied):
        yield Finding(machine.file.name, f"${{{name}}} is not supplied by {machine.logical_id}.DefinitionSubstitutions")
    for name in sorted(supplied - wanted):
        yield Finding(f"{machine.logical_id}.DefinitionSubstitutions", f"{name} is not used in {machine.file.name}")


def _scopes(place: str, definition: Mapping[str, Any], *, nested: bool = False) -> Iterator[_Scope]:
    states: Mapping[str, Mapping[str, Any]] = definition.get("States") or {}
    yield _Scope(place, str(definition.get("StartAt")), states, nested)
    for name, state in states.items():
        for index, inner in enumerate(nested_definitions(state)):
            yield from _scopes(f"{place}.{name}[{index}]", inner, nested=True)


def _targets(state: Mapping[str, Any]) -> Iterator[str]:
    if "Next" in state:
        yield state["Next"]
    if "Default" in state:
        yield state["Default"]
    for choice in [*(state.get("Choices") or []), *(state.get("Catch") or [])]:
        yield choice["Next"]


def _reachable(states: Mapping[str, Mapping[str, Any]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in states and name not in seen:
            seen.add(name)
            waiting.extend(_targets(states[name]))
    return seen


def _graph(scope: _Scope) -> Iterator[Finding]:
    if scope.start not in scope.states:
        yield Finding(scope.place, f"StartAt names {scope.start}, which does not exist")
    for name, state in scope.states.items():
        for target in _targets(state):
            if target not in scope.states:
                yield Finding(f"{scope.place}.{name}", f"names the next state {target}, which does not exist")
    for name in scope.states.keys() - _reachable(scope.states, scope.start):
        yield Finding(f"{scope.place}.{name}", "is never reached")


def _state(document: Document, place: str, name: str, state: Mapping[str, Any]) -> Iterator[Finding]:
    kind = state.get("Type")
    if kind == "Choice" and not _QUESTION.fullmatch(name):
        yield Finding(place, "a choice is called Is… or Has…")
    if kind in {"Task", "Pass", "Wait", "Map", "Parallel"} and not _VERB_NOUN.fullmatch(name):
        yield Finding(place, "a state is called VerbNoun")
    for clause in ("Retry", "Catch"):
        for rule in state.get(clause) or []:
            for error in rule["ErrorEquals"]:
                if error not in _AWS_ERRORS | _OWN_ERRORS:
                    yield Finding(f"{place}.{clause}", f"{error} is no error of shared/errors.py or of AWS")
    if kind == "Task":
        yield from _task(document, place, name, state)
    if kind == "Map":
        yield from _map(place, state)


def _map(place: str, state: Mapping[str, Any]) -> Iterator[Finding]:
    """Check the limits of an inline Map: its iterations are in the history of the execution itself."""
    if ((state.get("ItemProcessor") or {}).get("ProcessorConfig") or {}).get("Mode") != "INLINE":
        yield Finding(f"{place}.ItemProcessor.ProcessorConfig.Mode", "must be INLINE")
    concurrency = state.get("MaxConcurrency")
    if not isinstance(concurrency, int) or not 1 <= concurrency <= _MOST_ITERATIONS:
        yield Finding(f"{place}.MaxConcurrency", f"must be written out, from 1 to {_MOST_ITERATIONS}")
    if "Retry" in state:
        yield Finding(f"{place}.Retry", "would run every iteration again: retry the Task inside")


def _task(document: Document, place: str, name: str, state: Mapping[str, Any]) -> Iterator[Finding]:
    limit = state.get("TimeoutSeconds")
    if not isinstance(limit, int):
        yield Finding(place, "TimeoutSeconds is missing: a lost task would hold the execution for a year")
    retried = {error for rule in state.get("Retry") or [] for error in rule["ErrorEquals"]}
    for error in sorted(_TRANSIENT - retried):
        yield Finding(f"{place}.Retry", f"does not retry {error}, a TransientFault")
    for error in sorted(retried & {"States.ALL", "States.TaskFailed"}):
        yield Finding(f"{place}.Retry", f"{error} would retry permanent faults too")
    for error in sorted(retried & (_OWN_ERRORS - _TRANSIENT)):
        yield Finding(f"{place}.Retry", f"retries {error}, which is not a TransientFault")
    if state.get("Resource") != _LAMBDA:
        return
    if (state.get("Parameters") or {}).get("FunctionName") != f"${{{name}FunctionArn}}":
        yield Finding(f"{place}.Parameters.FunctionName", f"must be ${{{name}FunctionArn}}, by the naming chain")
    function = document.resources.get(f"{name}Function")
    if function is None:
        yield Finding(place, f"there is no {name}Function in the template")
    elif isinstance(limit, int) and limit <= int(function.properties.get("Timeout", 0)):
        yield Finding(f"{place}.TimeoutSeconds", f"must be longer than {name}Function's own Timeout")


def _failures(scope: _Scope) -> Iterator[Finding]:
    caught = {
        (name, rule["Next"])
        for name, state in scope.states.items()
        for rule in state.get("Catch") or []
        if rule["Next"] in scope.states
    }
    after_failure: set[str] = set()
    for name, target in sorted(caught):
        behind = _reachable(scope.states, target)
        after_failure |= behind
        for end in sorted(behind):
            state = scope.states[end]
            if state.get("End") or state.get("Type") == "Succeed":
                yield Finding(f"{scope.place}.{name}.Catch", f"ends green in {end}: the job failed")
    for name, state in scope.states.items():
        everything = any("States.ALL" in rule["ErrorEquals"] for rule in state.get("Catch") or [])
        if scope.nested:
            continue  # the state around it catches what it lets through
        if state.get("Type") in {"Task", "Map", "Parallel"} and name not in after_failure and not everything:
            yield Finding(f"{scope.place}.{name}", "has no Catch for States.ALL: the job would stay in progress")
