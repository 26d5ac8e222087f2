"""Runs the frequent forms of DynamoDB's item operations on moto's tables, without moto's handlers, which take longer.

Each function returns None for a request of another form, and for one that fails: moto then runs it from the start, and
words the error. Until then nothing has changed.

It relies on moto's internals: `tests/contract/test_moto.py` tests each place, and moto is pinned exactly.
"""

from __future__ import annotations

import bisect
import functools
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from local.aws.item_sizes import size_of_attributes
from local.aws.moto_expressions import condition_with_values, dict_of

_LARGEST_ITEM = 400_000  # bytes
_LARGEST_PAGE = 900_000  # bytes; DynamoDB ends a page at 1 MB
_LONGEST_KEY = 1024  # bytes, for sort keys
_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,9})?")
"""Numbers whose sum has no more digits than Python's decimals have by default."""
_AS_RETURNED = re.compile(r"0|-?[1-9][0-9]*")
"""Whole numbers in the form in which DynamoDB returns them."""

_CAPACITY = {"ReturnConsumedCapacity"}
_EXPRESSIONS = {"ExpressionAttributeNames", "ExpressionAttributeValues"}
_GET = {"TableName", "Key", "ConsistentRead"} | _CAPACITY
_QUERY = {"TableName", "KeyConditionExpression", "ConsistentRead", "ScanIndexForward"} | _EXPRESSIONS | _CAPACITY
_CONDITIONAL = {"ConditionExpression", "ReturnValuesOnConditionCheckFailure"} | _EXPRESSIONS | _CAPACITY
_PUT = {"TableName", "Item"} | _CONDITIONAL
_UPDATE = {"TableName", "Key", "UpdateExpression", "ReturnValues"} | _CONDITIONAL

Body = Mapping[str, Any]
Names = tuple[tuple[str, str], ...]
"""The placeholders of an expression with the attributes that they mean."""

T = TypeVar("T")


class _Other(Exception):
    """The request has another form, or may fail: moto must run it."""


# ---- tables --------------------------------------------------------------------------------------------------------


class Partition(dict[DynamoType, Item]):
    """The items of a partition by their sort keys, which are text. They are sorted when a query needs them."""

    __slots__ = ("_sorted",)

    def __init__(self) -> None:
        super().__init__()
        self._sorted: list[str] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Partition, (), None, None, iter(self.items())

    def __setitem__(self, key: DynamoType, item: Item) -> None:
        if self._sorted is not None and key not in self:
            bisect.insort(self._sorted, key.value)
        super().__setitem__(key, item)

    def __delitem__(self, key: DynamoType) -> None:
        self._sorted = None
        super().__delitem__(key)

    def pop(self, key: DynamoType, *default: Any) -> Any:
        self._sorted = None
        return super().pop(key, *default)

    def sorted_keys(self) -> list[str]:
        """Return the sort keys in order."""
        if self._sorted is None:
            self._sorted = sorted(key.value for key in self)
        return self._sorted


_original_init = Table.__init__


def init_with_partitions(self: Table, *args: Any, **kwargs: Any) -> None:
    """Give a new table partitions that keep their sort keys in order."""
    _original_init(self, *args, **kwargs)
    if self.range_key_attr is not None and self.range_key_type == "S":
        self.items = defaultdict(Partition)


SHORTCUTS: tuple[tuple[Any, str, Any], ...] = ((Table, "__init__", init_with_partitions),)
"""A class of moto, the name of its attribute, and the replacement."""


def forget_size(item: Item | None) -> None:
    """Measure this item again when its size is next asked for, because moto may change it in place."""
    if item is not None:
        vars(item).pop("known_size", None)


def size_of(item: Item) -> int:
    """Return the item's size in bytes, as DynamoDB bills it."""
    known: int | None = vars(item).get("known_size")
    return size_of_attributes(item.attrs) if known is None else known


def attributes_of(item: Item) -> dict[str, Any]:
    """Return the item's attributes as DynamoDB's JSON has them, with bytes for binary values."""
    return {
        name: {value.type: value.value if value.type in {"S", "N"} else dict_of(value)[value.type]}
        for name, value in item.attrs.items()
    }


# ---- operations ----------------------------------------------------------------------------------------------------


def get_item(table: Table, body: Body) -> dict[str, Any] | None:
    """Return the response of a GetItem without a projection."""
    if not body.keys() <= _GET:
        return None
    try:
        partition, key = _key(table, body["Key"])
    except _Other:
        return None
    found = table.items.get(partition, {}).get(key)
    return {} if found is None else {"Item": attributes_of(found)}


def query(table: Table, body: Body) -> tuple[dict[str, Any], str, int] | None:
    """Return the response of a Query of one partition, its partition key, and the bytes that were read."""
    names = body.get("ExpressionAttributeNames")
    forward = body.get("ScanIndexForward", True)
    if not body.keys() <= _QUERY or names == {} or not isinstance(forward, bool):
        return None
    try:
        condition = _key_condition(body.get("KeyConditionExpression", ""), tuple((names or {}).items()))
        if condition.attributes not in {(table.hash_key_attr,), (table.hash_key_attr, table.range_key_attr)}:
            return None
        partition, *bounds = condition.texts(body.get("ExpressionAttributeValues", {}))
        items = table.items.get(DynamoType({"S": partition}), Partition())
    except _Other:
        return None
    if not isinstance(items, Partition) or table.hash_key_type != "S":
        return None
    keys = _RANGES[condition.comparison](items.sorted_keys(), *bounds)
    found = [items[DynamoType({"S": key})] for key in (keys if forward else reversed(keys))]
    size = sum(map(size_of, found))
    if size > _LARGEST_PAGE:
        return None
    response = {"Count": len(found), "ScannedCount": len(found), "Items": [attributes_of(item) for item in found]}
    return response, partition, size


def put_item(table: Table, body: Body) -> dict[str, Any] | None:
    """Put an item without returning the old one, and return the response."""
    if not body.keys() <= _PUT:
        return None
    try:
        given = body["Item"]
        partition, key = _key(table, {name: given[name] for name in _key_names(table) if name in given})
        old = table.items.get(partition, {}).get(key)
        _require_condition(body, old, (), ())
        attributes = {sys.intern(name): _stored(value) for name, value in given.items()}
        new = _new_item(table, partition, key, attributes)
    except _Other:
        return None
    table.items[partition][key] = new
    return {}


def update_item(table: Table, body: Body) -> dict[str, Any] | None:
    """Update attributes of an item, without paths into them, and return the response."""
    returned = body.get("ReturnValues", "NONE")
    if not body.keys() <= _UPDATE or returned not in {"NONE", "ALL_NEW"}:
        return None
    names = body.get("ExpressionAttributeNames", {})
    values = body.get("ExpressionAttributeValues", {})
    try:
        update = _update(body.get("UpdateExpression", ""), tuple(names.items()))
        partition, key = _key(table, body["Key"])
        old = table.items.get(partition, {}).get(key)
        _require_condition(body, old, update.names, update.values)
        before = dict(old.attrs) if old is not None else {name: _stored(each) for name, each in body["Key"].items()}
        new = _new_item(table, partition, key, update.applied(before, values, {*_key_names(table)}))
    except _Other:
        return None
    table.items[partition][key] = new
    return {"Attributes": attributes_of(new)} if returned == "ALL_NEW" else {}


def _key_names(table: Table) -> tuple[str, str]:
    return table.hash_key_attr, table.range_key_attr or ""


def _key(table: Table, given: Mapping[str, Any]) -> tuple[DynamoType, DynamoType]:
    """Return partition key and sort key, which must both be text."""
    names = _key_names(table)
    if given.keys() != set(names) or table.stream_shard is not None:
        raise _Other
    # Equal names of attributes and equal partition keys are each one string: most of a small item is them.
    return DynamoType({"S": sys.intern(_text(given[names[0]]))}), DynamoType({"S": _text(given[names[1]])})


def _text(value: Any) -> str:
    text = value.get("S") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(text, str) or not 0 < len(text.encode()) <= _LONGEST_KEY:
        raise _Other
    return text


def _stored(value: Any) -> DynamoType:
    """Return a value of a request as moto stores it."""
    if not isinstance(value, dict) or len(value) != 1:
        raise _Other
    ((kind, content),) = value.items()
    valid: bool
    if kind == "M":
        valid = isinstance(content, dict)
        content = {name: _stored(each) for name, each in content.items()} if valid else None
    elif kind == "L":
        valid = isinstance(content, list)
        content = [_stored(each) for each in content] if valid else None
    else:
        valid = kind in _VALID and _VALID[kind](content)
        content = _as_returned(content) if valid and kind == "N" else content
    if not valid:
        raise _Other
    made = DynamoType.__new__(DynamoType)
    made.type, made.value = kind, content
    return made


_VALID: dict[str, Callable[[Any], bool]] = {
    "S": lambda content: isinstance(content, str),
    "N": lambda content: isinstance(content, str) and _NUMBER.fullmatch(content) is not None,
    "BOOL": lambda content: isinstance(content, bool),
    "NULL": lambda content: content is True,
    "B": lambda content: isinstance(content, bytes) and len(content) > 0,
}


def _new_item(table: Table, partition: DynamoType, key: DynamoType, attributes: Mapping[str, DynamoType]) -> Item:
    for index in table.global_indexes:
        for name in index.schema_key_attrs:
            value = attributes.get(name)
            if value is not None and (value.type != "S" or not 0 < len(value.value) <= _LONGEST_KEY // 4):
                raise _Other
    if table.indexes:
        raise _Other
    item: Item = object.__new__(Item)
    item.hash_key, item.range_key = partition, key
    item.attrs = LimitedSizeDict.__new__(LimitedSizeDict)
    dict.update(item.attrs, attributes)
    dict.update(item.attrs, zip(_key_names(table), (partition, key), strict=True))
    size = size_of_attributes(attributes)
    if size > _LARGEST_ITEM:
        raise _Other
    vars(item)["known_size"] = size
    return item


def _require_condition(body: Body, item: Item | None, names_used: Iterable[str], values_used: Iterable[str]) -> None:
    """Raise _Other unless the condition holds and each name and each value of the request is used."""
    names, values = body.get("ExpressionAttributeNames"), body.get("ExpressionAttributeValues")
    if names == {} or values == {}:
        raise _Other
    unused = {*(names or {}), *(values or {})} - {*names_used, *values_used}
    expression = body.get("ConditionExpression")
    if expression is not None:
        try:
            condition, found = condition_with_values(expression, names or {}, values or {})
            holds = condition.expr(item)
        except Exception as error:
            raise _Other from error
        if not holds:
            raise _Other
        unused -= found
    if unused:
        raise _Other


# ---- expressions ----------------------------------------------------------------------------------------------------


def _parsed_once(parse: Callable[[str, Names], T]) -> Callable[[str, Names], T]:
    """Keep what a parser returns for an expression and its names, also that it raises _Other."""

    @functools.lru_cache(maxsize=256)
    def kept(expression: str, names: Names) -> T | None:
        try:
            return parse(expression, names)
        except _Other:
            return None

    def parsed(expression: str, names: Names) -> T:
        found = kept(expression, names)
        if found is None:
            raise _Other
        return found

    return parsed


# ---- key conditions ------------------------------------------------------------------------------------------------

_KEY_CONDITION = re.compile(
    r"\s*(?P<hash>#?\w+)\s*=\s*(?P<partition>:\w+)"
    r"(?:\s+AND\s+(?:"
    r"begins_with\s*\(\s*(?P<prefixed>#?\w+)\s*,\s*(?P<prefix>:\w+)\s*\)"
    r"|(?P<between>#?\w+)\s+BETWEEN\s+(?P<low>:\w+)\s+AND\s+(?P<high>:\w+)"
    r"|(?P<compared>#?\w+)\s*(?P<operator><=|>=|=|<|>)\s*(?P<bound>:\w+)"
    r"))?\s*"
)


@dataclass(frozen=True, slots=True)
class _KeyCondition:
    """The key attributes that a condition compares, how it compares the second, and the names of its values."""

    attributes: tuple[str, ...]
    comparison: str
    values: tuple[str, ...]

    def texts(self, given: Mapping[str, Any]) -> list[str]:
        if given.keys() != set(self.values):
            raise _Other
        texts = [_text(given[name]) for name in self.values]
        if self.comparison == "BETWEEN" and texts[1] > texts[2]:
            raise _Other
        return texts


@_parsed_once
def _key_condition(expression: str, names: Names) -> _KeyCondition:
    parts = _KEY_CONDITION.fullmatch(expression)
    if parts is None:
        raise _Other
    found = {name: each for name, each in parts.groupdict().items() if each is not None}
    attributes = [found[name] for name in ("hash", "prefixed", "between", "compared") if name in found]
    values = tuple(found[name] for name in ("partition", "prefix", "low", "high", "bound") if name in found)
    if {each for each in attributes if each.startswith("#")} != {name for name, _ in names}:
        raise _Other
    kind = "BETWEEN" if "between" in found else "begins_with" if "prefixed" in found else found.get("operator", "")
    return _KeyCondition(tuple(_attribute(each, dict(names)) for each in attributes), kind, values)


@functools.cache
def _reserved() -> frozenset[str]:
    return frozenset(ReservedKeywords.get_reserved_keywords())


def _attribute(name: str, names: Mapping[str, str]) -> str:
    """Return the attribute that a name in an expression means."""
    if name.startswith("#"):
        found = names.get(name, "")
    else:
        found = "" if name.upper() in _reserved() or not name[0].isalpha() else name
    if not found:
        raise _Other
    return found


def _with_prefix(keys: list[str], prefix: str) -> list[str]:
    first = bisect.bisect_left(keys, prefix)
    last = first
    while last < len(keys) and keys[last].startswith(prefix):
        last += 1
    return keys[first:last]


# Python sorts text by code points, which is the order of its bytes in UTF-8.
_RANGES: dict[str, Callable[..., list[str]]] = {
    "": lambda keys: keys,
    "=": lambda keys, key: keys[bisect.bisect_left(keys, key) : bisect.bisect_right(keys, key)],
    "<": lambda keys, key: keys[: bisect.bisect_left(keys, key)],
    "<=": lambda keys, key: keys[: bisect.bisect_right(keys, key)],
    ">": lambda keys, key: keys[bisect.bisect_right(keys, key) :],
    ">=": lambda keys, key: keys[bisect.bisect_left(keys, key) :],
    "BETWEEN": lambda keys, low, high: keys[bisect.bisect_left(keys, low) : bisect.bisect_right(keys, high)],
    "begins_with": _with_prefix,
}


# ---- update expressions --------------------------------------------------------------------------------------------

_CLAUSE = re.compile(r"\b(SET|ADD|REMOVE)\s")
_PART = {
    "SET": re.compile(
        r"\s*(?P<path>#?\w+)\s*=\s*"
        r"(?:if_not_exists\s*\(\s*(?P<unless>#?\w+)\s*,\s*(?P<default>:\w+)\s*\)|(?P<value>:\w+))\s*(?:,|$)"
    ),
    "ADD": re.compile(r"\s*(?P<path>#?\w+)\s+(?P<value>:\w+)\s*(?:,|$)"),
    "REMOVE": re.compile(r"\s*(?P<path>#?\w+)\s*(?:,|$)"),
}


@dataclass(frozen=True, slots=True)
class _Change:
    """One change of an attribute: to a value, or to that of `unless` if there is one."""

    kind: str
    attribute: str
    value: str = ""
    unless: str = ""


@dataclass(frozen=True, slots=True)
class _Update:
    """The changes of an update, and the names and values that its expression uses."""

    changes: tuple[_Change, ...]
    names: frozenset[str]
    values: frozenset[str]

    def applied(
        self, before: Mapping[str, DynamoType], values: Mapping[str, Any], keys: set[str]
    ) -> dict[str, DynamoType]:
        """Return the attributes after the update."""
        after = dict(before)
        for change in self.changes:
            if change.attribute in keys:
                raise _Other
            if change.kind == "REMOVE":
                after.pop(change.attribute, None)
                continue
            if change.value not in values:
                raise _Other
            value = _stored(values[change.value])
            if change.unless in before:
                value = before[change.unless]
            if change.kind == "ADD":
                value = _sum(before.get(change.attribute), value)
            after[change.attribute] = value
        return after


def _sum(before: DynamoType | None, added: DynamoType) -> DynamoType:
    if added.type != "N":
        raise _Other
    if before is None:
        return added
    if before.type != "N" or not _NUMBER.fullmatch(before.value):
        raise _Other
    return DynamoType({"N": _as_returned(str(Decimal(before.value) + Decimal(added.value)))})


def _as_returned(number: str) -> str:
    """Return the number as DynamoDB returns it: moto keeps `1.0`, which DynamoDB returns as `1`."""
    if _AS_RETURNED.fullmatch(number):
        return number
    value = Decimal(number)
    return f"{value.normalize():f}" if value else "0"


@_parsed_once
def _update(expression: str, names: Names) -> _Update:
    before, *clauses = _CLAUSE.split(expression)
    kinds = clauses[::2]
    if before.strip() or not kinds or len({*kinds}) < len(kinds):
        raise _Other
    known = dict(names)
    found = [(kind, part) for kind, text in zip(kinds, clauses[1::2], strict=True) for part in _parts(kind, text)]
    changes = tuple(
        _Change(
            kind,
            _attribute(part["path"], known),
            part.get("value") or part.get("default") or "",
            _attribute(part["unless"], known) if part.get("unless") else "",
        )
        for kind, part in found
    )
    if len({change.attribute for change in changes}) < len(changes):
        raise _Other
    used = {each for _, part in found for each in (part["path"], part.get("unless")) if each and each.startswith("#")}
    return _Update(changes, frozenset(used), frozenset(change.value for change in changes if change.value))


def _parts(kind: str, text: str) -> list[dict[str, str | Any]]:
    """Return the parts of a clause, which commas separate."""
    parts, position = [], 0
    text = text.rstrip()
    while position < len(text):
        part = _PART[kind].match(text, position)
        if part is None:
            raise _Other
        parts.append(part.groupdict())
        position = part.end()
    if not parts or text.endswith(","):
        raise _Other
    return parts
