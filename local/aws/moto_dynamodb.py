"""Calls moto's DynamoDB directly, one operation at a time, which makes it thread-safe, fast and metered.

It relies on moto's internals: `tests/contract/test_moto.py` tests each place, and moto is pinned exactly.
"""

from __future__ import annotations

import base64
import copy
import json
import operator
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import SecondaryIndex, Table
from moto.dynamodb.models.utilities import bytesize
from moto.dynamodb.responses import DynamoHandler
from werkzeug.exceptions import HTTPException

from local.aws import moto_expressions, moto_items
from local.aws.capacity import ABSENT, CapacityMeter, Consumed, ItemFootprint, index_units, read_units, write_units
from local.aws.injected_faults import InjectedFaults
from local.aws.item_sizes import size_of_attributes
from local.aws.table_streams import TableStreams
from local.template.intrinsics import ACCOUNT, REGION

# The frequent operations of the product. All others use moto's own entry point.
CALLED_DIRECTLY = {
    "PutItem": "put_item",
    "GetItem": "get_item",
    "UpdateItem": "update_item",
    "DeleteItem": "delete_item",
    "Query": "query",
    "BatchGetItem": "batch_get_item",
    "TransactWriteItems": "transact_write_items",
}


# ---- faster versions of moto's functions --------------------------------------------------------------------------

original_query = Table.query
_queried = threading.local()


def query_one_partition(self: Table, hash_key: DynamoType | None, *args: Any, **kwargs: Any) -> Any:
    """Query a copy of the table that has one partition only, because moto sorts the whole table to find a partition.

    A query of an index runs on the table itself, because an index contains all partitions.
    """
    index_name = kwargs.get("index_name") or (args[6] if len(args) > 6 else None)
    table = self
    if index_name is None and hash_key is not None:
        table = copy.copy(self)
        table.items = {hash_key: _narrow(self.items.get(hash_key, {}), *args[:2])}  # type: ignore[assignment]
    result = original_query(table, hash_key, *args, **kwargs)
    _queried.partition = None if hash_key is None else str(hash_key.value)
    _queried.size = sum(size_of_attributes(item.attrs) for item in result[0])
    return result


def _narrow(partition: Any, comparison: str | None = None, bounds: Sequence[DynamoType] = ()) -> Any:
    """Return the items that satisfy a range condition on strings, so that moto sorts and compares only these."""
    if comparison not in _COMPARISONS or any(bound.type != "S" for bound in bounds):
        return partition
    holds = _COMPARISONS[comparison]
    values = [bound.value for bound in bounds]
    return {key: item for key, item in partition.items() if key.type == "S" and holds(key.value, *values)}


# Moto's names. UTF-8 sorts as code points do, so comparing strings compares their bytes.
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
    """Copy only the partitions that the transaction names: moto copies the table in order to roll back."""
    clone = copy.copy(self)
    memo[id(self)] = clone
    touched: set[DynamoType] | None = getattr(_queried, "touched", None)
    clone.items = copy.copy(self.items)
    for key, partition in self.items.items():
        if touched is None or key in touched:
            clone.items[key] = copy.deepcopy(partition, memo)
    return clone


_LARGEST_ITEM = 405_000  # bytes, moto's limit


def set_attribute(attributes: LimitedSizeDict, name: str, value: Any) -> None:
    """Set an attribute and keep an upper bound of the item's size: moto measures the whole item for each attribute."""
    size = _size(name) + _size(value)
    held = vars(attributes).get("held")
    if held is None or held + size > _LARGEST_ITEM:
        held = sum(_size(key) + _size(each) for key, each in attributes.items())
    if held + size > _LARGEST_ITEM:
        raise ItemSizeTooLarge
    dict.__setitem__(attributes, name, value)
    vars(attributes)["held"] = held + size


def _size(value: Any) -> int:
    return value.size() if isinstance(value, DynamoType) else bytesize(str(value))


SHORTCUTS: tuple[tuple[Any, str, Any], ...] = (
    (Table, "query", query_one_partition),
    (Table, "__deepcopy__", copy_touched_partitions),
    (LimitedSizeDict, "__setitem__", set_attribute),
    *moto_expressions.SHORTCUTS,
    *moto_items.SHORTCUTS,
)
"""A class or module of moto, the name of its attribute, and the replacement."""


def install() -> None:
    """Apply the shortcuts. Calling it again has no effect."""
    for owner, name, shortcut in SHORTCUTS:
        setattr(owner, name, shortcut)


# ---- operations ----------------------------------------------------------------------------------------------------


class DynamoDb:
    """Runs operations one at a time on moto's handler, and meters them.

    Moto's DynamoDB is not thread-safe: without the lock 20 concurrent writers lose half of their puts. The meter is not
    exact in two cases: a query counts only the items that it returns, not those that a filter removed, and index writes
    count for the partition of the item.

    `streams` get the writes of items that they want, except those of BatchWriteItem, which moto executes by itself.
    """

    def __init__(self, streams: TableStreams | None = None) -> None:
        self._streams = streams or TableStreams(())
        self.lock = threading.Lock()
        self.meter = CapacityMeter()
        self.faults = InjectedFaults()

    def call(self, operation: str, payload: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Run one of the operations in `CALLED_DIRECTLY`; return the status and the JSON body of its response."""
        fault = self.faults.take(operation, payload)
        if fault is not None:
            return fault
        binary = b'"B"' in payload or b'"BS"' in payload
        body = json.loads(payload, object_hook=_decode_binary if binary else None)
        handler = DynamoHandler()
        handler.region = REGION
        handler.current_account = ACCOUNT
        handler.headers = headers
        handler.querystring = {}
        handler.response_headers = {}
        handler.body = handler.params = body
        with self.lock:
            status, result = self._run(handler, operation, body)
        return status, result if isinstance(result, bytes) else json.dumps(result, default=_encode_bytes).encode()

    def _run(self, handler: DynamoHandler, operation: str, body: dict[str, Any]) -> tuple[int, Any]:
        writes: list[_Write] = []
        try:
            if operation in _WRITES:
                writes = [_Write(change, factor, self._streams) for change, factor in _changes(body)]
            result = self._run_directly(operation, body)
            if result is None:
                for write in writes:
                    moto_items.forget_size(write.found())
                _queried.touched = {write.partition for write in writes}
                result = getattr(handler, CALLED_DIRECTLY[operation])().result
        except ServiceException as error:
            status, _, text = handler.serialized(ActionResult(error))
            self._meter_writes(writes)
            return status, text.encode() if isinstance(text, str) else text
        except HTTPException as error:
            self._meter_writes(writes)
            return error.code or 500, str(error.description).encode()
        finally:
            _queried.touched = None
        result.pop("ConsumedCapacityUnits", None)  # added by moto; not part of the wire format
        result.pop("ConsumedCapacity", None)  # moto's own, which updates return without being asked
        consumed = self._meter_writes(writes) or self._meter_reads(operation, body)
        if consumed and body.get("ReturnConsumedCapacity", "NONE") != "NONE":
            tables = [{"TableName": table, "CapacityUnits": units} for table, units in consumed.items()]
            result["ConsumedCapacity"] = tables if operation in _OF_SEVERAL_TABLES else tables[0]
        for write in writes:
            write.publish()
        return 200, result

    @staticmethod
    def _run_directly(operation: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Run the request without moto's handler, if it has one of the frequent forms; return None otherwise."""
        table = dynamodb_backends[ACCOUNT][REGION].tables.get(body.get("TableName", ""))
        if table is None:
            return None
        if operation == "Query":
            found = moto_items.query(table, body)
            if found is None:
                return None
            result, _queried.partition, _queried.size = found
            return result
        run = _FORMS.get(operation)
        return None if run is None else run(table, body)

    def _meter_writes(self, writes: list[_Write]) -> defaultdict[str, float]:
        """Charge the writes, and return their units by table."""
        units: defaultdict[str, float] = defaultdict(float)
        for write in writes:
            consumed = write.consumed()
            self.meter.charge(write.table, str(write.partition.value), consumed)
            units[write.table] += consumed.write_units
        return units

    def _meter_reads(self, operation: str, body: dict[str, Any]) -> defaultdict[str, float]:
        """Charge the reads of a request, and return their units by table."""
        units: defaultdict[str, float] = defaultdict(float)
        if operation == "Query" and _queried.partition is not None:
            read = read_units(_queried.size, consistent=bool(body.get("ConsistentRead")))
            self.meter.charge(body["TableName"], _queried.partition, Consumed(read_units=read, requests=1))
            units[body["TableName"]] = read
        elif operation == "GetItem":
            consistent = bool(body.get("ConsistentRead"))
            units[body["TableName"]] = self._meter_get(body["TableName"], body["Key"], consistent=consistent)
        elif operation == "BatchGetItem":
            for table_name, request in body["RequestItems"].items():
                for key in request["Keys"]:
                    read = self._meter_get(table_name, key, consistent=bool(request.get("ConsistentRead")))
                    units[table_name] += read
        return units

    def _meter_get(self, table_name: str, key: dict[str, Any], *, consistent: bool) -> float:
        table = _table(table_name)
        item = _find(table, key)
        units = read_units(0 if item is None else moto_items.size_of(item), consistent=consistent)
        partition = str(DynamoType(key[table.hash_key_attr]).value)
        self.meter.charge(table_name, partition, Consumed(read_units=units, requests=1))
        return units


_FORMS = {"GetItem": moto_items.get_item, "PutItem": moto_items.put_item, "UpdateItem": moto_items.update_item}
_OF_SEVERAL_TABLES = {"BatchGetItem", "TransactWriteItems"}
"""Operations whose response has a list of what each table has consumed."""

_WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"}


def _changes(body: dict[str, Any]) -> Iterable[tuple[dict[str, Any], int]]:
    """Return the single writes of a request, each with the factor of its price."""
    if "TransactItems" not in body:
        return [(body, 1)]
    return [(next(iter(entry.values())), 2) for entry in body["TransactItems"]]


class _Write:
    """One item that is about to be written. It keeps the item's footprint, to compute the cost after the write.

    It keeps the item itself too, if a stream wants it.
    """

    def __init__(self, change: dict[str, Any], factor: int, streams: TableStreams) -> None:
        self.table = change["TableName"]
        self._table = _table(self.table)
        self._key = change["Item"] if "Item" in change else change["Key"]
        self._factor = factor
        self.partition = DynamoType(self._key[self._table.hash_key_attr])
        self._before = self._footprint()
        names = (self._table.hash_key_attr, self._table.range_key_attr)
        self._keys = {name: self._key[name] for name in names if name is not None and name in self._key}
        self._streams = streams if streams.wants(self.table, self._keys) else None
        self._old = None if self._streams is None else self._image()

    def publish(self) -> None:
        """Tell the streams that the item was written."""
        if self._streams is not None:
            self._streams.written(self.table, self._keys, self._old, self._image())

    def found(self) -> Item | None:
        """Return the item as it is now."""
        return _find(self._table, self._key)

    def _image(self) -> dict[str, Any] | None:
        item = self.found()
        return None if item is None else item.to_json()["Attributes"]

    def consumed(self) -> Consumed:
        after = self._footprint()
        indexes = {name: units * self._factor for name, units in index_units(self._before, after).items()}
        return Consumed(write_units(self._before, after) * self._factor, requests=1, index_units=Counter(indexes))

    def _footprint(self) -> ItemFootprint:
        item = self.found()
        if item is None:
            return ABSENT
        indexed = {}
        for index in self._table.global_indexes:
            if all(name in item.attrs for name in index.schema_key_attrs):
                key = tuple(item.attrs[name].value for name in index.schema_key_attrs)
                indexed[index.name] = (key, *_projected(index, item))
        return ItemFootprint(moto_items.size_of(item), indexed)


def _projected(index: SecondaryIndex, item: Item) -> tuple[dict[str, Any], int]:
    """Return the attributes of an item that the index contains, to compare, and their size in bytes."""
    kind = index.projection.get("ProjectionType", "ALL")
    names = {*index.table_key_attrs, *index.schema_key_attrs, *index.projection.get("NonKeyAttributes", [])}
    attributes = {name: value for name, value in item.attrs.items() if kind == "ALL" or name in names}
    # moto changes lists, maps and sets in place, so the text of these is kept.
    content = {
        name: (value.type, value.value if type(value.value) is str else repr(value))
        for name, value in attributes.items()
    }
    return content, size_of_attributes(attributes)


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
    raise TypeError(f"{type(value).__name__} in a DynamoDB response")


def _decode_binary(value: dict[str, Any]) -> dict[str, Any]:
    """Return a binary value of a request with its bytes, as moto's own parser does; other objects unchanged."""
    if len(value) == 1:
        ((kind, content),) = value.items()
        if kind == "B" and isinstance(content, str):
            return {"B": base64.b64decode(content)}
        if kind == "BS" and isinstance(content, list):
            return {"BS": [base64.b64decode(each) for each in content]}
    return value
