"""Rules of texts that people give, such as names and ids, with the words in which a refusal tells them."""

from __future__ import annotations

import unicodedata
from typing import Any, Final

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError, WrapValidator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_TURNS_TEXT: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the direction of the text around them, so that it reads as another text."""
_NOT_IN_NAMES: Final = frozenset({"Cc", "Zl", "Zp"})
"""Categories of Unicode: control characters, and the separators of lines and paragraphs."""
_PLAIN_PATTERN: Final = r"^[^\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*$"
"""The same rule as a regular expression of JSON Schema."""
_PATTERN: Final = "string_pattern_mismatch"


def _plain(text: str) -> str:
    for character in text:
        if unicodedata.category(character) in _NOT_IN_NAMES or character in _TURNS_TEXT:
            raise PydanticCustomError(
                "plain_name",
                "must have no control characters, line breaks or characters that change the direction of text; "
                "remove U+{code}",
                {"code": f"{ord(character):04X}"},
            )
    return text


class _PlainName:
    """The validator of plain names, whose rule is in the API's document as well."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(_plain, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"pattern": _PLAIN_PATTERN, **handler(schema)}


PLAIN_NAME: Final = _PlainName()
"""The rule of every name that people give: it is shown in one line, and reads as it is written."""

PLAIN_KEY: Final = AfterValidator(_plain)
"""The same rule for the keys of an object, whose schema has no place for it that generators of types understand."""


def in_words(rule: str) -> WrapValidator:
    """Return what tells this rule, as in "must be a scene id such as …", where pydantic would show a pattern."""

    def told(value: Any, check: Any) -> Any:
        try:
            return check(value)
        except ValidationError as error:
            if any(each["type"] == _PATTERN for each in error.errors(include_url=False, include_input=False)):
                raise PydanticCustomError("rule_in_words", "{rule}", {"rule": rule}) from None
            raise

    return WrapValidator(told)
