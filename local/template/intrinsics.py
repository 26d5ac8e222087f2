"""Resolves CloudFormation's intrinsic functions to plain values, refusing what it does not know by naming the place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

ACCOUNT = "123456789012"
REGION = "us-east-1"

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")


class TemplateError(Exception):
    """The template says something that cannot be resolved locally; the message names the place."""


# libyaml where it was built in: every process of the stack reads the template, and in Python that takes half a second.
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc,valid-type]
    """YAML with CloudFormation's short tags, read as their long forms."""


def _short_tag(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        raise TemplateError(f"!{suffix}: a kind of YAML node nobody expected, {node.start_mark}")
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_tag)


def parse_yaml(text: str) -> Any:
    """Read CloudFormation YAML; `!Sub x` becomes `{"Fn::Sub": "x"}` and so on."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with CloudFormation's tags added


class _NoValue:
    """What `AWS::NoValue` stands for: the property is as if it had not been written."""


NO_VALUE = _NoValue()


class Resolver:
    """Evaluates intrinsics against parameters, conditions and the names and attributes of resources.

    `reference(logical_id)` answers `Ref`, `attribute(logical_id, name)` answers `GetAtt`; both raise `KeyError` for
    what they do not know, which becomes a `TemplateError` naming the place.
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
            "Fn::Not": lambda value, place: not self.resolve(value, place)[0],
            "Fn::And": lambda value, place: all(self.resolve(value, place)),
            "Fn::Or": lambda value, place: any(self.resolve(value, place)),
        }

    def resolve(self, value: Any, place: str) -> Any:
        """`value` with every intrinsic replaced; `place` is its path in the template, for messages."""
        if isinstance(value, list):
            items = [self.resolve(item, f"{place}[{index}]") for index, item in enumerate(value)]
            return [item for item in items if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name in self._functions:
                return self._functions[name](argument, f"{place}.{name}")
            if str(name).startswith("Fn::"):
                raise TemplateError(f"{place}: {name} is not known to the local stack")
        resolved = {key: self.resolve(item, f"{place}.{key}") for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}

    def condition(self, name: str, place: str) -> bool:
        """Whether the condition called `name` holds."""
        if name not in self._conditions:
            raise TemplateError(f"{place}: there is no condition {name}")
        return bool(self.resolve(self._conditions[name], f"Conditions.{name}"))

    def _ref(self, name: str, place: str) -> Any:
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._declared:
            return self._parameter(name, place)
        try:
            return self._reference(name)
        except KeyError as error:
            raise TemplateError(f"{place}: cannot say what {name} refers to") from error

    def _parameter(self, name: str, place: str) -> str | list[str]:
        declared = self._declared[name]
        if name not in self._parameters and "Default" not in declared:
            raise TemplateError(f"{place}: parameter {name} has no default and no value was given")
        value = _text(self._parameters.get(name, declared.get("Default")))
        if declared.get("Type") in {"CommaDelimitedList", "List<String>"}:
            return [item.strip() for item in value.split(",")]
        return value

    def _get_att(self, argument: Any, place: str) -> Any:
        name, attribute = argument
        try:
            return self._attribute(name, attribute)
        except KeyError as error:
            raise TemplateError(f"{place}: cannot say what {name}.{attribute} is") from error

    def _sub(self, argument: Any, place: str) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else (argument[0], self.resolve(argument[1], place))

        def replace(match: re.Match[str]) -> str:
            name = match.group(1)
            if name.startswith("!"):  # ${!Literal} is CloudFormation's way to write ${Literal}
                return f"${{{name[1:]}}}"
            if name in own:
                return str(own[name])
            logical_id, dot, attribute = name.partition(".")
            return str(self._get_att([logical_id, attribute], place) if dot else self._ref(name, place))

        return _PLACEHOLDER.sub(replace, text)

    def _if(self, argument: Any, place: str) -> Any:
        name, yes, no = argument
        return self.resolve(yes if self.condition(name, place) else no, place)

    def _join(self, argument: Any, place: str) -> str:
        separator, items = argument
        return str(separator).join(str(item) for item in self.resolve(items, place))

    def _select(self, argument: Any, place: str) -> Any:
        index, items = self.resolve(argument, place)
        return items[int(index)]

    def _split(self, argument: Any, place: str) -> list[str]:
        separator, text = self.resolve(argument, place)
        return str(text).split(separator)

    def _find_in_map(self, argument: Any, place: str) -> Any:
        name, first, second = self.resolve(argument, place)
        try:
            return self._mappings[name][first][second]
        except KeyError as error:
            raise TemplateError(f"{place}: mapping {name} has no {first}.{second}") from error

    def _equals(self, argument: Any, place: str) -> bool:
        left, right = self.resolve(argument, place)
        return _text(left) == _text(right)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def substitute(value: Any, substitutions: Mapping[str, str], place: str) -> Any:
    """`value` with `${Name}` replaced in every string, as a state machine's DefinitionSubstitutions do."""
    if isinstance(value, dict):
        return {key: substitute(item, substitutions, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, substitutions, f"{place}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        if match.group(1) not in substitutions:
            raise TemplateError(f"{place}: nothing is supplied for {match.group(0)}")
        return str(substitutions[match.group(1)])

    return _PLACEHOLDER.sub(replace, value)
