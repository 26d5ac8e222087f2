"""Read which scene a phrase names: by its position, its name in quotes, or as the selected one."""

from __future__ import annotations

import re
from typing import Final

from shared.apps.video.brain.context import ChatContext

ORDINALS: Final = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5, "6th": 6, "7th": 7, "8th": 8, "9th": 9, "10th": 10,
}  # fmt: skip
NUMBERS: Final = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
}  # fmt: skip
_ORDINAL: Final = "|".join([*ORDINALS, "last"])
_NUMBER: Final = "|".join([r"\d{1,3}", *NUMBERS])
SCENE: Final = (
    rf"(?:scene (?:number |no\.? ?|#)?(?:{_NUMBER})|(?:the )?(?:{_ORDINAL}) scene"
    r"|(?:this|the selected|the current) scene"
    r'|(?:the )?scene "[^"]{1,100}"|the "[^"]{1,100}" scene)'
)
"""A pattern for one phrase that names a scene; it has no groups. Quotation marks are as `plain_quotes` writes them."""
_BY_NUMBER: Final = re.compile(rf"scene (?:number |no\.? ?|#)?({_NUMBER})", re.IGNORECASE)
_BY_ORDINAL: Final = re.compile(rf"(?:the )?({_ORDINAL}) scene", re.IGNORECASE)
_BY_NAME: Final = re.compile(r'(?:the )?(?:scene )?"([^"]+)"(?: scene)?', re.IGNORECASE)
_QUOTES: Final = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'))


def plain_quotes(text: str) -> str:
    """Return the text with one kind of double quotation marks. Apostrophes stay, because texts have them, too."""
    return text.translate(_QUOTES)


def scene_of(phrase: str, context: ChatContext) -> str | None:
    """Return the id of the one scene that the phrase names; None if it names none, or could mean several."""
    phrase = " ".join(phrase.split())
    if found := _BY_NUMBER.fullmatch(phrase):
        number = found[1].casefold()
        return _at(NUMBERS.get(number) or int(number), phrase, context)
    if found := _BY_ORDINAL.fullmatch(phrase):
        ordinal = found[1].casefold()
        return _at(len(context.facts.scenes) if ordinal == "last" else ORDINALS[ordinal], phrase, context)
    if found := _BY_NAME.fullmatch(phrase):
        return _named(found[1], context)
    if phrase.casefold().startswith("this") and context.attached:
        return context.attached[0] if len(context.attached) == 1 else None
    return context.selected if context.facts.scene(context.selected) is not None else None


def _at(position: int, phrase: str, context: ChatContext) -> str | None:
    """Return the scene at this position, from 1; None if another scene has the phrase as its name."""
    scenes = context.facts.scenes
    if not 1 <= position <= len(scenes):
        return None
    found = scenes[position - 1].scene_id
    called = phrase.casefold().removeprefix("the ")
    others = (each for each in scenes if each.scene_id != found)
    return None if any(each.name.strip().casefold() == called for each in others) else found


def _named(name: str, context: ChatContext) -> str | None:
    called = " ".join(name.split()).casefold()
    found = [each.scene_id for each in context.facts.scenes if " ".join(each.name.split()).casefold() == called]
    return found[0] if len(found) == 1 else None
