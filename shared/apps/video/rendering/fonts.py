"""Name the fonts that a video needs and this machine does not have; Inter, for European languages, is bundled."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, Final

from shared.apps.video.rendering.plan import RenderPlan

MOST_CHARACTERS: Final = 2_000
"""Maximum of different characters that are looked for in the fonts."""

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Mn", "Me", "Zl", "Zp", "Zs"})
_CJK: Final = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "FULLWIDTH", "HALFWIDTH", "IDEOGRAPHIC")
_FIRST_PICTOGRAM: Final = 0x1F000


def characters_of(plan: RenderPlan) -> str:
    """Return the characters beyond ASCII that may be shown, sorted: those of props and of code."""
    texts = [scene.code for scene in plan.scenes] + [component.code for component in plan.components]
    texts += [text for scene in plan.scenes for text in _texts_in(scene.props)]
    found = {character for text in texts for character in text if character > "\x7f"}
    return "".join(sorted(each for each in found if unicodedata.category(each) not in _INVISIBLE)[:MOST_CHARACTERS])


def packages_for(characters: Iterable[str]) -> tuple[str, ...]:
    """Return the packages of Debian that have fonts for these characters, sorted."""
    return tuple(sorted({_package_for(each) for each in characters}))


def packages_needed(plan: RenderPlan) -> tuple[str, ...]:
    """Return the packages that have fonts for Chinese, Japanese, Korean and emoji of the video, sorted.

    No font for these is bundled, so this is known before a browser is started. Of other characters only the browser
    knows whether Inter has them.
    """
    found = [each for each in characters_of(plan) if _is_cjk(each) or ord(each) >= _FIRST_PICTOGRAM]
    return packages_for(found)


def _is_cjk(character: str) -> bool:
    return unicodedata.name(character, "").startswith(_CJK)


def _package_for(character: str) -> str:
    if _is_cjk(character):
        return "fonts-noto-cjk"
    if ord(character) >= _FIRST_PICTOGRAM or unicodedata.category(character) == "So":
        return "fonts-noto-color-emoji"
    return "fonts-noto-core"


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts_in(each)
