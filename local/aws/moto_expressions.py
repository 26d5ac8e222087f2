"""Faster versions of moto's functions for DynamoDB's expressions and values, each with the same results.

It relies on moto's internals: `tests/contract/test_moto.py` tests each place, and moto is pinned exactly.
"""

from __future__ import annotations

import copy
import functools
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

from moto.core.exceptions import ServiceException
from moto.dynamodb import responses
from moto.dynamodb.comparisons import AttributeValue, ConditionExpressionParser, Func, Op
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.utilities import dynamo_to_dict
from moto.dynamodb.parsing import validators
from moto.dynamodb.parsing.ast_nodes import (  # type: ignore[attr-defined]
    DepthFirstTraverser,
    Expression,
    Node,
    UpdateExpression,
    UpdateExpressionFunction,
)
from moto.dynamodb.parsing.expressions import UpdateExpressionParser  # type: ignore[attr-defined]

_SCALARS = frozenset({"S", "N", "BOOL", "NULL"})
_PLAIN = frozenset({str, bool, int, float, type(None)})

# ---- update expressions --------------------------------------------------------------------------------------------

_original_make = UpdateExpressionParser.make


@functools.lru_cache(maxsize=128)
def parse_once(expression: str) -> UpdateExpression:
    """Parse each update expression once: moto parses it twice for every request, and the product has only a few."""
    return _original_make(expression)


def copy_of_parsed(value: Any) -> Any:
    """Copy a parsed expression for moto's validator by unpickling, which takes a tenth of the time of deepcopy."""
    if not isinstance(value, UpdateExpression):
        return copy.deepcopy(value)
    return pickle.loads(_pickled(value))  # noqa: S301 - pickled by this process


@functools.lru_cache(maxsize=128)
def _pickled(expression: UpdateExpression) -> bytes:
    return pickle.dumps(expression)


@functools.cache
def _processed_as(kind: type[Any], classes: tuple[type[Any], ...]) -> type[Any] | None:
    """Return the first of these classes that `kind` is a subclass of, or None."""
    return next((each for each in classes if issubclass(kind, each)), None)


@functools.cache
def _is_node(kind: type[Any]) -> bool:
    return issubclass(kind, Node)


def traverse_by_type(self: Any, root: Any, child_id: int = -1) -> Any:
    """Choose each node's processor by its type, in one look-up: moto asks abstract base classes at every node."""
    processors = self._processing_map()
    classes = tuple(processors)
    silent = type(self).pre_processing_of_child is DepthFirstTraverser.pre_processing_of_child
    before = None if silent else self.pre_processing_of_child

    def visit(node: Any, position: int) -> Any:
        if not _is_node(type(node)):  # type: ignore[arg-type]
            return node
        parent = node.parent
        for index, child in enumerate(node.children or ()):
            if before is not None:
                before(node, index)
            visit(child, index)
        chosen = _processed_as(type(node), classes)  # type: ignore[arg-type]
        if chosen is not None:
            node = processors[chosen](node)
            node.parent = parent
            if parent:
                parent.children[position] = node
        return node

    return visit(root, child_id)


def check_root_first(self: Any, root: Any) -> Any:
    """Check the whole expression once. A part of a valid expression is valid, and moto checks each part too."""
    [check] = self._processing_map().values()
    try:
        return check(root)
    except (ServiceException, KeyError):
        return self.traverse_node_recursively(root)  # raises the error of the first part that has one


@functools.cache
def _has_clauses(kind: type[Any]) -> bool:
    return issubclass(kind, Expression | UpdateExpressionFunction)


def find_clauses_by_type(self: Any, clause_types: Sequence[type[Any]]) -> list[Any]:
    """Find the clauses of these types below a node, without asking abstract base classes."""
    clauses: list[Any] = []
    for child in self.children or ():
        if type(child) in clause_types:
            clauses.append(child)
        elif _has_clauses(type(child)):  # type: ignore[arg-type]
            clauses.extend(child.find_clauses(clause_types))
    return clauses


# ---- conditions and filters ----------------------------------------------------------------------------------------

_original_parse = ConditionExpressionParser.parse
_Pairs = tuple[tuple[str, str], ...]


def parse_condition_once(self: ConditionExpressionParser) -> Any:
    """Parse each condition once for each set of names and types of values, and insert the values of this request."""
    expression = self.condition_expression
    values = self.expression_attribute_values or {}
    if not expression or any(len(value) != 1 for value in values.values()):
        return _original_parse(self)
    names = tuple((self.expression_attribute_names or {}).items())
    try:
        parsed, found_names, found_values = _parsed(
            expression, names, tuple((name, next(iter(value))) for name, value in values.items())
        )
    except Exception:  # noqa: BLE001 - the parser raises the same again, with its own message
        return _original_parse(self)
    self.expr_attr_names_found.extend(found_names)
    self.expr_attr_values_found.extend(found_values)
    return _with_values(parsed, values)


def condition_with_values(
    expression: str, names: Mapping[str, str], values: Mapping[str, Any]
) -> tuple[Any, frozenset[str]]:
    """Return a condition with its values, and the placeholders that it uses. Raises what the parser raises."""
    parsed, found_names, found_values = _parsed(
        expression, tuple(names.items()), tuple((name, next(iter(value))) for name, value in values.items())
    )
    return (_with_values(parsed, values) if values else parsed), frozenset((*found_names, *found_values))


@functools.lru_cache(maxsize=512)
def _parsed(expression: str, names: _Pairs, types: _Pairs) -> tuple[Any, list[str], list[str]]:
    """Parse a condition in which each value is its own name; return the condition, and the names that it uses."""
    parser = ConditionExpressionParser(expression, dict(names), {name: {kind: name} for name, kind in types})
    return _original_parse(parser), parser.expr_attr_names_found, parser.expr_attr_values_found


def _with_values(node: Any, values: Mapping[str, Any]) -> Any:
    """Return a copy of a parsed condition with the values of a request instead of their names."""
    if isinstance(node, AttributeValue):
        return AttributeValue(values[node.value])
    if isinstance(node, Func):
        return type(node)(*(_with_values(each, values) for each in node.arguments))
    if isinstance(node, Op):
        bound = copy.copy(node)
        bound.lhs, bound.rhs = _with_values(node.lhs, values), _with_values(node.rhs, values)
        return bound
    return node


# ---- values --------------------------------------------------------------------------------------------------------

_original_deepcopy = DynamoType.__deepcopy__
_original_size = DynamoType.size


def copy_only_containers(self: DynamoType, memo: dict[int, Any]) -> DynamoType:
    """Copy lists, maps and sets only, because moto changes no other value after it has made it."""
    return self if self.type in _SCALARS else _original_deepcopy(self, memo)


def size_of_text(self: DynamoType) -> int:
    """Return the size in bytes, without encoding text that is ASCII."""
    value = self.value
    if type(value) is str and self.type in _SCALARS and value.isascii():
        return len(value)
    return _original_size(self)


def dict_of(value: Any) -> Any:
    """Convert moto's objects to JSON's, by their types: moto asks each value whether it is a date or an object."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return {name: dict_of(each) for name, each in value.items()}
    if kind is list:
        return [dict_of(each) for each in value]
    if kind is Item:
        return dict_of(value.to_json())
    if kind is DynamoType and value.type not in {"B", "BS"}:
        return {value.type: dict_of(value.value)}
    return dynamo_to_dict(value)


SHORTCUTS: tuple[tuple[Any, str, Any], ...] = (
    (UpdateExpressionParser, "make", staticmethod(parse_once)),
    (validators, "deepcopy", copy_of_parsed),
    (DepthFirstTraverser, "traverse_node_recursively", traverse_by_type),
    (validators.OverlappingPathsValidator, "traverse", check_root_first),
    (validators.ActionCountValidator, "traverse", check_root_first),
    (Node, "find_clauses", find_clauses_by_type),
    (ConditionExpressionParser, "parse", parse_condition_once),
    (DynamoType, "__deepcopy__", copy_only_containers),
    (DynamoType, "size", size_of_text),
    (responses, "dynamo_to_dict", dict_of),
)
"""A class or module of moto, the name of its attribute, and the replacement."""
