"""What the scripted model says: prose, or a document that fits the JSON Schema it was given, split into tokens."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from local.model.prose import Brief, Idea, idea

# Below these depths lists get one item and what is optional is left out, so that recursive schemas end.
_DEPTH_OF_LISTS: Final = 4
_DEPTH: Final = 6
_ITEMS: Final = 3
# Strict schemas state no lengths, so these stand for what an application is likely to allow: 100 and 3800 characters.
_STAMPS_IN_TITLE: Final = 5
_STAMPS_IN_PROSE: Final = 190
_TITLES: Final = frozenset({"title", "headline", "heading", "name", "label"})
_BEYOND_US: Final = frozenset({
    "contains", "dependentRequired", "dependentSchemas", "if", "maxProperties", "not", "pattern", "patternProperties",
    "propertyNames", "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
_TOKEN: Final = re.compile(r"\s*(?:\w{1,9}|[^\w\s]{1,4})|\s+$")
# Stands for one time stamp until the token is sent; a private-use character, which no answer of ours contains.
STAMP: Final = "\ue000"
_STAMP_LENGTH: Final = len("1700000000000000000 ")
_FILLER: Final = " It stays reversible, measurable and small enough to finish."


class UnsupportedSchema(ValueError):
    """The schema asks for something the scripted model cannot make."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the document a value stands: its property's name, its depth, its position in the nearest list, and the
    position of the object around it, which decides the idea it is about."""

    name: str = ""
    depth: int = 0
    position: int = 0
    topic: int = 0

    def inside(self, name: str) -> _Place:
        return _Place(name, self.depth + 1, self.position, self.position)

    def item(self, position: int) -> _Place:
        return _Place(self.name, self.depth + 1, position, self.topic)


class _Prose(str):
    """A string that time stamps may replace: `room` of them, filled up to `shortest` characters."""

    room: int
    shortest: int

    def stamped(self, count: int) -> str:
        missing = self.shortest - count * _STAMP_LENGTH
        return STAMP * count + "." * missing if count else str(self)


class DocumentWriter:
    """Writes a document for a schema, deterministically: the same schema and brief give the same document."""

    def __init__(self, schema: dict[str, Any], brief: Brief) -> None:
        self._schema = schema
        self._brief = brief

    def write(self) -> Any:
        """Raises UnsupportedSchema."""
        return self._value(self._schema, _Place())

    def _value(self, schema: Any, place: _Place) -> Any:
        if schema is True or schema == {}:
            return self._text({}, place)
        if not isinstance(schema, dict):
            raise UnsupportedSchema("a schema of false allows nothing")
        if place.depth > _DEPTH * 4:
            raise UnsupportedSchema("the schema never ends")
        schema = self._resolved(schema)
        if beyond := _BEYOND_US & schema.keys():
            raise UnsupportedSchema(f"{place.name or 'the schema'}: {min(beyond)} is beyond the scripted model")
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._choice(schema["enum"], place)
        if alternatives := schema.get("anyOf") or schema.get("oneOf"):
            beside = {key: value for key, value in schema.items() if key not in {"anyOf", "oneOf"}}
            return self._alternative(alternatives, beside, place)
        kinds: dict[str, Callable[[dict[str, Any], _Place], Any]] = {
            "object": self._object,
            "array": self._array,
            "string": self._text,
            "integer": self._integer,
            "number": self._number,
            "boolean": lambda _, at: (self._brief.seed + at.position) % 2 == 0,
            "null": lambda *_: None,
        }
        kind = _kind_of(schema)
        if kind not in kinds:
            raise UnsupportedSchema(f"type {kind!r} is unknown")
        return kinds[kind](schema, place)

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        followed = 0
        while "$ref" in schema or "allOf" in schema:
            followed += 1
            if followed > 50:
                raise UnsupportedSchema("$ref goes round in a circle")
            if "$ref" in schema:
                beside = {key: value for key, value in schema.items() if key != "$ref"}
                schema = _merged([self._target(schema["$ref"]), beside])
            else:
                beside = {key: value for key, value in schema.items() if key != "allOf"}
                schema = _merged([*(self._resolved(part) for part in schema["allOf"]), beside])
        return schema

    def _target(self, reference: str) -> dict[str, Any]:
        if not reference.startswith("#"):
            raise UnsupportedSchema(f"$ref {reference!r} leaves the document")
        target: Any = self._schema
        for part in reference[1:].split("/")[1:]:
            try:
                target = target[part.replace("~1", "/").replace("~0", "~")]
            except (KeyError, TypeError) as error:
                raise UnsupportedSchema(f"$ref {reference!r} points nowhere") from error
        if not isinstance(target, dict):
            raise UnsupportedSchema(f"$ref {reference!r} does not point at a schema")
        return target

    def _alternative(self, alternatives: Sequence[Any], beside: dict[str, Any], place: _Place) -> Any:
        """The first that says something; deep down, where recursion has to end, the plainest."""
        ranked = sorted(alternatives, key=self._weight) if place.depth >= _DEPTH else sorted(alternatives, key=_is_null)
        failure: UnsupportedSchema | None = None
        for alternative in ranked:
            try:
                return self._value(_beside(alternative, beside), place)
            except UnsupportedSchema as error:
                failure = error
        raise failure or UnsupportedSchema("there is no alternative to choose")

    def _weight(self, schema: Any) -> int:
        if not isinstance(schema, dict):
            return 0
        kind = _kind_of(self._resolved(schema))
        return {"null": 0, "boolean": 1, "integer": 1, "number": 1, "string": 1, "array": 2}.get(kind, 3)

    def _choice(self, values: Sequence[Any], place: _Place) -> Any:
        named = {
            "priority": self._brief.priority,
            "prioritylevel": self._brief.priority,
            "featuretype": self._brief.feature_type,
        }
        fitting = named.get(_plain(place.name))
        return fitting if fitting in values else values[(self._brief.seed + place.position) % len(values)]

    def _object(self, schema: dict[str, Any], place: _Place) -> dict[str, Any]:
        properties: dict[str, Any] = schema.get("properties", {})
        required = schema.get("required", [])
        document: dict[str, Any] = {}
        for name, part in properties.items():
            if name in required:
                document[name] = self._value(part, place.inside(name))
            elif place.depth < _DEPTH:
                try:
                    document[name] = self._value(part, place.inside(name))
                except UnsupportedSchema:
                    continue
        additional = schema.get("additionalProperties", True)
        for name in required:
            if name not in document:
                document[name] = self._value(additional, place.inside(name))
        for number in range(schema.get("minProperties", 0) - len(document)):
            document[f"entry{number + 1}"] = self._value(additional, place.inside("entry"))
        return document

    def _array(self, schema: dict[str, Any], place: _Place) -> list[Any]:
        fixed = schema.get("prefixItems", [])
        fewest = max(schema.get("minItems", 0), len(fixed))
        most = schema.get("maxItems", math.inf)
        wanted = max(fewest, self._usual_items(schema, place))
        unique = schema.get("uniqueItems", False)
        values: list[Any] = []
        seen: set[str] = set()
        # Enough tries to pass over repeated values where they must differ.
        for position in range(int(min(wanted, most)) * 8 + 8):
            if len(values) == min(wanted, most):
                break
            part = fixed[len(values)] if len(values) < len(fixed) else schema.get("items", True)
            try:
                value = self._value(part, place.item(position))
            except UnsupportedSchema:
                if len(values) >= fewest:
                    break
                raise
            key = json.dumps(value, sort_keys=True)
            if not (unique and key in seen):
                seen.add(key)
                values.append(value)
        if len(values) < fewest:
            raise UnsupportedSchema(f"{place.name or 'an array'}: not enough different items")
        return values

    @staticmethod
    def _usual_items(schema: dict[str, Any], place: _Place) -> int:
        if place.depth >= _DEPTH or "items" not in schema:
            return 0
        return _ITEMS if place.depth < _DEPTH_OF_LISTS else 1

    def _integer(self, schema: dict[str, Any], place: _Place) -> int:
        step = schema.get("multipleOf", 1)
        if step != int(step):
            raise UnsupportedSchema(f"{place.name or 'a number'}: multiples of {step} are beyond the scripted model")
        low, high = _bounds(schema, whole=True)
        first, last = math.ceil(low / step), math.floor(high / step)
        if first > last:
            raise UnsupportedSchema(f"{place.name or 'an integer'}: no number fits its bounds")
        return int((first + (self._brief.seed + place.position) % min(last - first + 1, 10)) * step)

    def _number(self, schema: dict[str, Any], place: _Place) -> float:
        if "multipleOf" in schema:
            return self._integer(schema, place)
        low, high = _bounds(schema, whole=False)
        share = ((self._brief.seed + place.position * 7) % 9 + 1) / 10
        value = low + (high - low) * share
        return round(value, 2) if low < round(value, 2) < high else value

    def _text(self, schema: dict[str, Any], place: _Place) -> str:
        if "format" in schema:
            return _formatted(schema["format"], place)
        shortest, longest = schema.get("minLength", 0), schema.get("maxLength", math.inf)
        if shortest > longest:
            raise UnsupportedSchema(f"{place.name or 'a string'}: no length fits its bounds")
        prose = _Prose(_fitted(self._wording(place), shortest, longest))
        usual = _STAMPS_IN_TITLE if _plain(place.name) in _TITLES else _STAMPS_IN_PROSE
        prose.room = int(min(usual, longest // _STAMP_LENGTH))
        prose.shortest = shortest
        return prose

    def _wording(self, place: _Place) -> str:
        thought = idea(self._brief, place.topic)
        for names, wording in _WORDINGS:
            if any(name in _plain(place.name) for name in names):
                return wording(thought, place.position)
        label = re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]+", " ", place.name).strip().capitalize() or "Answer"
        return f"{label} {place.position + 1} for {self._brief.subject}"


def _consideration(thought: Idea, position: int) -> str:
    lap = position // len(thought.considerations)
    return thought.considerations[position % len(thought.considerations)] + (
        f" (again, stage {lap + 1})" if lap else ""
    )


# The first that occurs in a property's name decides.
_WORDINGS: Final[tuple[tuple[tuple[str, ...], Callable[[Idea, int], str]], ...]] = (
    (("consideration", "implementation", "risk", "note", "step", "task"), _consideration),
    (("title", "headline", "heading"), lambda thought, _: thought.title),
    (("rationale", "reason", "why", "justification", "benefit", "impact"), lambda thought, _: thought.rationale),
    (("description", "detail", "summary", "text", "content", "body", "answer"), lambda thought, _: thought.description),
)


def split_tokens(text: str) -> list[str]:
    """Pieces of about a word, as a model would send them; together they are the text."""
    return _TOKEN.findall(text)


def split_exactly(text: str, count: int) -> list[str]:
    """Exactly `count` pieces of even length; blanks are added when there are fewer characters than pieces."""
    text = text.ljust(count)
    cuts = [index * len(text) // count for index in range(count + 1)]
    return [text[start:end] for start, end in itertools.pairwise(cuts)]


def stamped(document: Any, count: int) -> list[str]:
    """The document as JSON in `count` tokens, each with one STAMP for prose as far as its strings have room."""
    places = _prose_places(document)
    left = count
    shares: list[int] = []
    for index, (_, _, prose) in enumerate(places):
        # Later strings have to take what earlier ones have no room for, so each takes its share of what is left.
        share = min(prose.room, math.ceil(left / (len(places) - index)))
        shares.append(share)
        left -= share
    for (holder, key, prose), share in zip(places, shares, strict=True):
        # What the last strings had no room for goes to the first that have.
        whole = min(prose.room, share + left)
        left -= whole - share
        holder[key] = prose.stamped(whole)
    head, *pieces = json.dumps(document, ensure_ascii=False).split(STAMP)
    if not pieces:
        return split_exactly(head, count)
    tokens = [STAMP + piece for piece in pieces]
    tokens[0] = head + tokens[0]
    return [*split_exactly("", count - len(tokens)), *tokens] if count > len(tokens) else tokens


def _prose_places(document: Any) -> list[tuple[Any, Any, _Prose]]:
    if isinstance(document, dict):
        entries: list[tuple[Any, Any]] = list(document.items())
    elif isinstance(document, list):
        entries = list(enumerate(document))
    else:
        return []
    places: list[tuple[Any, Any, _Prose]] = []
    for key, value in entries:
        if isinstance(value, _Prose):
            places.append((document, key, value))
        else:
            places += _prose_places(value)
    return places


def _kind_of(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return next((each for each in kind if each != "null"), "null")
    if kind is None:
        marks = {"properties": "object", "items": "array", "minimum": "number", "maximum": "number"}
        return next((implied for mark, implied in marks.items() if mark in schema), "string")
    return str(kind)


def _beside(alternative: Any, schema: dict[str, Any]) -> Any:
    """One alternative together with what stands beside `anyOf`."""
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
    """The range of a number: closed for whole numbers; for others the ends are left out by whoever chooses."""
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


def _formatted(kind: str, place: _Place) -> str:
    day = place.position % 27 + 1
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
        raise UnsupportedSchema(f"format {kind!r} is beyond the scripted model")
    return known[kind]


def _fitted(text: str, shortest: float, longest: float) -> str:
    while len(text) < shortest:
        text += _FILLER
    if len(text) <= longest:
        return text
    cut = text[: int(longest)]
    whole_words = cut.rpartition(" ")[0].rstrip(" ,;.")
    return whole_words if len(whole_words) >= max(shortest, 1) else cut


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())
