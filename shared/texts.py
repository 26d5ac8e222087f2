"""Rules of texts that people give, such as names and ids, with the words in which a refusal tells them."""

from __future__ import annotations

import unicodedata
from typing import Any, Final

from pydantic import AfterValidator, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError

_TURNS_TEXT: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the direction of the text around them, so that it reads as another text."""
_NOT_IN_NAMES: Final = frozenset({"Cc", "Zl", "Zp"})
"""Categories of Unicode: control characters, and the separators of lines and paragraphs."""
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


PLAIN_NAME: Final = AfterValidator(_plain)
"""The rule of every name that people give: it is shown in one line, and reads as it is written."""


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
