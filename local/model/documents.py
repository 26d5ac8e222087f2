"""Writes a document that fits a JSON Schema, with a vocabulary that supplies the words."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from local.model.tokens import STAMP_LENGTH, Prose

# Below these depths a list gets one item, and optional properties are left out, so that recursive schemas end.
_DEPTH_OF_LISTS: Final = 4
_DEPTH: Final = 6
_ITEMS: Final = 3
# Strict schemas state no lengths. These are what an application is likely to allow: 100 and 3800 characters.
_STAMPS_IN_TITLE: Final = 5
_STAMPS_IN_PROSE: Final = 190
_TITLES: Final = frozenset({"title", "headline", "heading", "name", "label"})
_UNSUPPORTED: Final = frozenset({
    "contains", "dependentRequired", "dependentSchemas", "if", "maxProperties", "not", "pattern", "patternProperties",
    "propertyNames", "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
_FILLER: Final = " It stays reversible, measurable and small enough to finish."


class UnsupportedSchema(ValueError):
    """The scripted model cannot write a document for this schema; the text says which part is not supported."""


class Vocabulary(Protocol):
    """The words of a document. Names of properties are given in lower-case letters only, as in `featuretype`."""

    @property
    def seed(self) -> int:
        """A number that decides between equal choices; it depends on the prompt only."""

    @property
    def subject(self) -> str:
        """The thing that the prompt is about."""

    def sentence(self, name: str, topic: int, position: int) -> str | None:
        """Return a text for the property, or None if there is none.

        `topic` is the position in a list of the object that has the property; `position` that of the text itself.
        """

    def choice(self, name: str) -> Any:
        """Return the value that the prompt asks for in this property with an enum, or None."""


@dataclass(frozen=True, slots=True)
class _Location:
    """Where a value is in the document: its property's name, its depth, its position in the nearest list, and the
    position of the object around it, which is its topic."""

    name: str = ""
    depth: int = 0
    position: int = 0
    topic: int = 0

    @property
    def words(self) -> str:
        return re.sub(r"[^a-z]", "", self.name.lower())

    def inside(self, name: str) -> _Location:
        return _Location(name, self.depth + 1, self.position, self.position)

    def item(self, position: int) -> _Location:
        return _Location(self.name, self.depth + 1, position, self.topic)


class DocumentWriter:
    """Writes deterministically: the same schema and vocabulary give the same document."""

    def __init__(self, schema: dict[str, Any], vocabulary: Vocabulary) -> None:
        self._schema = schema
        self._vocabulary = vocabulary

    def write(self) -> Any:
        """Return a document that fits the schema. Raises UnsupportedSchema."""
        return self._value(self._schema, _Location())

    def _value(self, schema: Any, at: _Location) -> Any:
        if schema is True or schema == {}:
            return self._text({}, at)
        if not isinstance(schema, dict):
            raise UnsupportedSchema("the schema `false` allows no value")
        if at.depth > _DEPTH * 4:
            raise UnsupportedSchema("the schema is nested without an end")
        schema = self._resolved(schema)
        if unsupported := _UNSUPPORTED & schema.keys():
            raise UnsupportedSchema(
                f"{at.name or 'the schema'}: the scripted model does not support {min(unsupported)}"
            )
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._choice(schema["enum"], at)
        if alternatives := schema.get("anyOf") or schema.get("oneOf"):
            beside = {key: value for key, value in schema.items() if key not in {"anyOf", "oneOf"}}
            return self._alternative(alternatives, beside, at)
        kinds: dict[str, Callable[[dict[str, Any], _Location], Any]] = {
            "object": self._object,
            "array": self._array,
            "string": self._text,
            "integer": self._integer,
            "number": self._number,
            "boolean": lambda _, where: (self._vocabulary.seed + where.position) % 2 == 0,
            "null": lambda *_: None,
        }
        kind = _kind_of(schema)
        if kind not in kinds:
            raise UnsupportedSchema(f"JSON Schema has no type {kind!r}")
        return kinds[kind](schema, at)

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        followed = 0
        while "$ref" in schema or "allOf" in schema:
            followed += 1
            if followed > 50:
                raise UnsupportedSchema("a $ref refers to itself")
            if "$ref" in schema:
                beside = {key: value for key, value in schema.items() if key != "$ref"}
                schema = _merged([self._target(schema["$ref"]), beside])
            else:
                beside = {key: value for key, value in schema.items() if key != "allOf"}
                schema = _merged([*(self._resolved(part) for part in schema["allOf"]), beside])
        return schema

    def _target(self, reference: str) -> dict[str, Any]:
        if not reference.startswith("#"):
            raise UnsupportedSchema(f"$ref {reference!r} refers to another document")
        target: Any = self._schema
        for part in reference[1:].split("/")[1:]:
            try:
                target = target[part.replace("~1", "/").replace("~0", "~")]
            except (KeyError, TypeError) as error:
                raise UnsupportedSchema(f"$ref {reference!r} refers to nothing") from error
        if not isinstance(target, dict):
            raise UnsupportedSchema(f"$ref {reference!r} does not refer to a schema")
        return target

    def _alternative(self, alternatives: Sequence[Any], beside: dict[str, Any], at: _Location) -> Any:
        """Write the first alternative that is not null, or the simplest one where recursion has to end."""
        ranked = sorted(alternatives, key=self._weight) if at.depth >= _DEPTH else sorted(alternatives, key=_is_null)
        failure: UnsupportedSchema | None = None
        for alternative in ranked:
            try:
                return self._value(_beside(alternative, beside), at)
            except UnsupportedSchema as error:
                failure = error
        raise failure or UnsupportedSchema("anyOf has no alternatives")

    def _weight(self, schema: Any) -> int:
        if not isinstance(schema, dict):
            return 0
        kind = _kind_of(self._resolved(schema))
        return {"null": 0, "boolean": 1, "integer": 1, "number": 1, "string": 1, "array": 2}.get(kind, 3)

    def _choice(self, values: Sequence[Any], at: _Location) -> Any:
        chosen = self._vocabulary.choice(at.words)
        return chosen if chosen in values else values[(self._vocabulary.seed + at.position) % len(values)]

    def _object(self, schema: dict[str, Any], at: _Location) -> dict[str, Any]:
        properties: dict[str, Any] = schema.get("properties", {})
        required = schema.get("required", [])
        document: dict[str, Any] = {}
        for name, part in properties.items():
            if name in required:
                document[name] = self._value(part, at.inside(name))
            elif at.depth < _DEPTH:
                try:
                    document[name] = self._value(part, at.inside(name))
                except UnsupportedSchema:
                    continue
        additional = schema.get("additionalProperties", True)
        for name in required:
            if name not in document:
                document[name] = self._value(additional, at.inside(name))
        for number in range(schema.get("minProperties", 0) - len(document)):
            document[f"entry{number + 1}"] = self._value(additional, at.inside("entry"))
        return document

    def _array(self, schema: dict[str, Any], at: _Location) -> list[Any]:
        fixed = schema.get("prefixItems", [])
        fewest = max(schema.get("minItems", 0), len(fixed))
        most = schema.get("maxItems", math.inf)
        wanted = max(fewest, self._usual_items(schema, at))
        unique = schema.get("uniqueItems", False)
        values: list[Any] = []
        seen: set[str] = set()
        # Where values must differ, repeated ones are skipped, so there are more tries than items.
        for position in range(int(min(wanted, most)) * 8 + 8):
            if len(values) == min(wanted, most):
                break
            part = fixed[len(values)] if len(values) < len(fixed) else schema.get("items", True)
            try:
                value = self._value(part, at.item(position))
            except UnsupportedSchema:
                if len(values) >= fewest:
                    break
                raise
            key = json.dumps(value, sort_keys=True)
            if not (unique and key in seen):
                seen.add(key)
                values.append(value)
        if len(values) < fewest:
            raise UnsupportedSchema(f"{at.name or 'an array'}: the schema does not allow enough different items")
        return values

    @staticmethod
    def _usual_items(schema: dict[str, Any], at: _Location) -> int:
        if at.depth >= _DEPTH or "items" not in schema:
            return 0
        return _ITEMS if at.depth < _DEPTH_OF_LISTS else 1

    def _integer(self, schema: dict[str, Any], at: _Location) -> int:
        step = schema.get("multipleOf", 1)
        if step != int(step):
            raise UnsupportedSchema(f"{at.name or 'a number'}: multiples of {step} are not supported")
        low, high = _bounds(schema, whole=True)
        first, last = math.ceil(low / step), math.floor(high / step)
        if first > last:
            raise UnsupportedSchema(f"{at.name or 'an integer'}: no number fits its bounds")
        return int((first + (self._vocabulary.seed + at.position) % min(last - first + 1, 10)) * step)

    def _number(self, schema: dict[str, Any], at: _Location) -> float:
        if "multipleOf" in schema:
            return self._integer(schema, at)
        low, high = _bounds(schema, whole=False)
        share = ((self._vocabulary.seed + at.position * 7) % 9 + 1) / 10
        value = low + (high - low) * share
        return round(value, 2) if low < round(value, 2) < high else value

    def _text(self, schema: dict[str, Any], at: _Location) -> str:
        if "format" in schema:
            return _formatted(schema["format"], at)
        shortest, longest = schema.get("minLength", 0), schema.get("maxLength", math.inf)
        if shortest > longest:
            raise UnsupportedSchema(f"{at.name or 'a string'}: no length fits its bounds")
        prose = Prose(_fitted(self._sentence(at), shortest, longest))
        usual = _STAMPS_IN_TITLE if at.words in _TITLES else _STAMPS_IN_PROSE
        prose.room = int(min(usual, longest // STAMP_LENGTH))
        prose.shortest = shortest
        return prose

    def _sentence(self, at: _Location) -> str:
        found = self._vocabulary.sentence(at.words, at.topic, at.position)
        if found is not None:
            return found
        label = re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]+", " ", at.name).strip().capitalize() or "Answer"
        return f"{label} {at.position + 1} for {self._vocabulary.subject}"


def _kind_of(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return next((each for each in kind if each != "null"), "null")
    if kind is None:
        marks = {"properties": "object", "items": "array", "minimum": "number", "maximum": "number"}
        return next((implied for mark, implied in marks.items() if mark in schema), "string")
    return str(kind)


def _beside(alternative: Any, schema: dict[str, Any]) -> Any:
    """Return one alternative combined with the keywords beside its `anyOf`."""
    if alternative is True:
        return schema
    return {"allOf": [schema, alternative]} if isinstance(alternative, dict) and schema else alternative


def _is_null(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "null"


def _merged(schemas: Sequence[dict[str, Any]]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for schema in schemas:
        for key, value in schema.items():
            if key == "properties":
                whole[key] = {**whole.get(key, {}), **value}
            elif key == "required":
                whole[key] = list(dict.fromkeys([*whole.get(key, []), *value]))
            elif key in whole and key.startswith(("min", "exclusiveMin")):
                whole[key] = max(whole[key], value)
            elif key in whole and key.startswith(("max", "exclusiveMax")):
                whole[key] = min(whole[key], value)
            else:
                whole[key] = value
    return whole


def _bounds(schema: dict[str, Any], *, whole: bool) -> tuple[float, float]:
    """Return the least and the greatest value; a number that is not whole must lie between them, excluding both."""
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if above is not None:
        least = math.floor(above) + 1 if whole else above
        low = least if low is None else max(least, low)
    if below is not None:
        most = math.ceil(below) - 1 if whole else below
        high = most if high is None else min(most, high)
    if low is None:
        low = min(0, high) if high is not None else 0
    if high is None:
        high = low + 100
    return low, high


def _formatted(kind: str, at: _Location) -> str:
    day = at.position % 27 + 1
    known = {
        "date": f"2026-03-{day:02}",
        "date-time": f"2026-03-{day:02}T09:00:00Z",
        "time": "09:00:00Z",
        "email": f"person{day}@example.com",
        "uri": f"https://example.com/{day}",
        "url": f"https://example.com/{day}",
        "uuid": f"00000000-0000-4000-8000-{day:012}",
    }
    if kind not in known:
        raise UnsupportedSchema(f"format {kind!r} is not supported")
    return known[kind]


def _fitted(text: str, shortest: float, longest: float) -> str:
    while len(text) < shortest:
        text += _FILLER
    if len(text) <= longest:
        return text
    cut = text[: int(longest)]
    whole_words = cut.rpartition(" ")[0].rstrip(" ,;.")
    return whole_words if len(whole_words) >= max(shortest, 1) else cut
