"""Resolves CloudFormation's intrinsic functions to plain values; the error for an unsupported one names its path."""

from __future__ import annotations

import functools
import pickle
import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

ACCOUNT = "123456789012"
REGION = "us-east-1"

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")


class TemplateError(Exception):
    """A part of the template cannot be resolved locally; the message names its path."""


# Every process of the stack reads the template: in half a second by Python's parser, much faster by libyaml's.
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc,valid-type]
    """Reads YAML with CloudFormation's short tags, and turns them into their long forms."""


def _short_tag(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        raise TemplateError(f"!{suffix}: this kind of YAML node is not supported, {node.start_mark}")
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_tag)


def parse_yaml(text: str) -> Any:
    """Read CloudFormation YAML; `!Sub x` becomes `{"Fn::Sub": "x"}` and so on. Each result is the caller's own."""
    return pickle.loads(_parsed(text))  # noqa: S301 - written by the next function


@functools.lru_cache(maxsize=16)
def _parsed(text: str) -> bytes:
    """Keep the latest texts: stacks and tests read one template often, and a copy takes 2 ms instead of 70."""
    return pickle.dumps(yaml.load(text, Loader=_Loader))  # noqa: S506 - a SafeLoader with CloudFormation's tags added


class _NoValue:
    """The value of `AWS::NoValue`: a property with this value is left out."""


NO_VALUE = _NoValue()


class Resolver:
    """Evaluates intrinsics with parameters, conditions, and the names and attributes of resources.

    `reference(logical_id)` returns the value of `Ref`, and `attribute(logical_id, name)` that of `GetAtt`. If one of
    them raises KeyError, the Resolver raises a TemplateError that names the path.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        *,
        stack_name: str,
        parameters: Mapping[str, str],
        reference: Callable[[str], str],
        attribute: Callable[[str, str], str],
    ) -> None:
        self._conditions: Mapping[str, Any] = document.get("Conditions") or {}
        self._mappings: Mapping[str, Any] = document.get("Mappings") or {}
        self._declared: Mapping[str, Any] = document.get("Parameters") or {}
        self._parameters = parameters
        self._reference = reference
        self._attribute = attribute
        self._pseudo: dict[str, Any] = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Region": REGION,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": stack_name,
            "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack_name}/local",
            "AWS::NoValue": NO_VALUE,
        }
        self._functions: dict[str, Callable[[Any, str], Any]] = {
            "Ref": self._ref,
            "Condition": self.condition,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::If": self._if,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::FindInMap": self._find_in_map,
            "Fn::Equals": self._equals,
            "Fn::Not": lambda value, path: not self.resolve(value, path)[0],
            "Fn::And": lambda value, path: all(self.resolve(value, path)),
            "Fn::Or": lambda value, path: any(self.resolve(value, path)),
        }

    def resolve(self, value: Any, path: str) -> Any:
        """Return `value` with every intrinsic replaced; `path` is its path in the template, for messages."""
        if isinstance(value, list):
            items = [self.resolve(item, f"{path}[{index}]") for index, item in enumerate(value)]
            return [item for item in items if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name in self._functions:
                return self._functions[name](argument, f"{path}.{name}")
            if str(name).startswith("Fn::"):
                raise TemplateError(f"{path}: the local stack does not support {name}")
        resolved = {key: self.resolve(item, f"{path}.{key}") for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}

    def condition(self, name: str, path: str) -> bool:
        """Tell whether the condition is true."""
        if name not in self._conditions:
            raise TemplateError(f"{path}: there is no condition {name}")
        return bool(self.resolve(self._conditions[name], f"Conditions.{name}"))

    def _ref(self, name: str, path: str) -> Any:
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._declared:
            return self._parameter(name, path)
        try:
            return self._reference(name)
        except KeyError as error:
            raise TemplateError(f"{path}: the local stack does not know the value of Ref {name}") from error

    def _parameter(self, name: str, path: str) -> str | list[str]:
        declared = self._declared[name]
        if name not in self._parameters and "Default" not in declared:
            raise TemplateError(f"{path}: parameter {name} has no default and no value was given")
        value = _text(self._parameters.get(name, declared.get("Default")))
        if declared.get("Type") in {"CommaDelimitedList", "List<String>"}:
            return [item.strip() for item in value.split(",")]
        return value

    def _get_att(self, argument: Any, path: str) -> Any:
        name, attribute = argument
        try:
            return self._attribute(name, attribute)
        except KeyError as error:
            raise TemplateError(f"{path}: the local stack does not know the value of {name}.{attribute}") from error

    def _sub(self, argument: Any, path: str) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else (argument[0], self.resolve(argument[1], path))

        def replace(match: re.Match[str]) -> str:
            name = match.group(1)
            if name.startswith("!"):  # CloudFormation's escape: ${!Literal} gives ${Literal}
                return f"${{{name[1:]}}}"
            if name in own:
                return str(own[name])
            logical_id, dot, attribute = name.partition(".")
            return str(self._get_att([logical_id, attribute], path) if dot else self._ref(name, path))

        return _PLACEHOLDER.sub(replace, text)

    def _if(self, argument: Any, path: str) -> Any:
        name, yes, no = argument
        return self.resolve(yes if self.condition(name, path) else no, path)

    def _join(self, argument: Any, path: str) -> str:
        separator, items = argument
        return str(separator).join(str(item) for item in self.resolve(items, path))

    def _select(self, argument: Any, path: str) -> Any:
        index, items = self.resolve(argument, path)
        return items[int(index)]

    def _split(self, argument: Any, path: str) -> list[str]:
        separator, text = self.resolve(argument, path)
        return str(text).split(separator)

    def _find_in_map(self, argument: Any, path: str) -> Any:
        name, first, second = self.resolve(argument, path)
        try:
            return self._mappings[name][first][second]
        except KeyError as error:
            raise TemplateError(f"{path}: mapping {name} has no {first}.{second}") from error

    def _equals(self, argument: Any, path: str) -> bool:
        left, right = self.resolve(argument, path)
        return _text(left) == _text(right)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def substitute(value: Any, substitutions: Mapping[str, str], path: str) -> Any:
    """Return `value` with `${Name}` replaced in every string, as a state machine's DefinitionSubstitutions do."""
    if isinstance(value, dict):
        return {key: substitute(item, substitutions, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, substitutions, f"{path}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        if match.group(1) not in substitutions:
            raise TemplateError(f"{path}: DefinitionSubstitutions has no value for {match.group(0)}")
        return str(substitutions[match.group(1)])

    return _PLACEHOLDER.sub(replace, value)
