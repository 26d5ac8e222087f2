"""What the scripted model writes for the application `ideation`: ideas, a ranking and groups."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from local.model.prompt import Prompt
from local.model.prose import seed_of

Schema = dict[str, Any]

_FIRST: Final = (
    *("Borrowed", "Quiet", "Midnight", "Paper", "Second", "Hidden"),
    *("Crooked", "Silver", "Patient", "Distant", "Unwritten", "Lucky"),
)
_SECOND: Final = (
    *("Lighthouse", "Orchard", "Archive", "Carousel", "Harbour", "Signal"),
    *("Kitchen", "Map", "Choir", "Elevator", "Greenhouse", "Ferry"),
)
# A genre is inserted where any name fits the grammar.
_LOGLINES: Final = (
    "{genre} from an unlikely angle: {thing} is the only witness, and in this {platform} it changes its story nightly.",
    "Two strangers inherit {thing} and one summer to agree on what it is for; this {platform} is {genre} at heart.",
    "{genre}, one street at a time: each morning of this {platform} {thing} stands closer than it did the day before.",
    "Everybody has heard of {thing}; this {platform} ({genre}) follows the one person who refuses to believe in it.",
    "{genre} after hours: a team keeps {thing} running, and this {platform} begins when it needs them no more.",
)
_DESCRIPTIONS: Final = (
    "It opens with a small, solvable riddle and lets every answer raise a larger one. We meet {thing} before anybody "
    "explains it, so that curiosity does the teaching. Short chapters suit the {platform}, and each of them ends on a "
    "choice that matters later.",
    "The tone is warm and a little strange. What carries it is the friendship at its centre, tested whenever {thing} "
    "shows what it can do. The {platform} can give it away in pieces: each stands alone, and together they tell a "
    "second story.",
    "For people who know this genre and want to be surprised by it. The rules of {thing} are shown once and never "
    "broken, which makes the twist fair. The {platform} is cheap to make: few places, few people, one idea taken "
    "seriously.",
)
_REASONS: Final = (
    "“{title}” can be told in one sentence and gets better with the second.",
    "“{title}” leaves the most room for a next part.",
    "“{title}” surprises without cheating.",
    "“{title}” would find its audience at once, though others have been near it.",
    "“{title}” depends on being made very well.",
)
_GROUPS: Final = (
    ("Start tomorrow", "Small enough to be tried within a week."),
    ("Built to last", "Worlds that can carry more than one story."),
    ("Two at a time", "They live on a relationship between two people."),
    ("A puzzle first", "The riddle comes before the characters."),
    ("Slow and strange", "They take their time, and are remembered for it."),
    ("Loud and bright", "They win people over in the first minute."),
)
_IDEAS_PER_GROUP: Final = 4


def answer(prompt: Prompt) -> Any:
    """Return the document for a prompt of this application, or None for any other prompt."""
    schema = prompt.schema
    write = None if schema is None else _WRITERS.get((prompt.schema_name, *schema.get("$defs", {})))
    return None if schema is None or write is None else write(schema, prompt.text)


def _ideas(schema: Schema, prompt: str) -> dict[str, Any]:
    platform = _labelled("Platform", prompt) or "story"
    unused = enumerate(_unused_titles(seed_of(platform), prompt))
    document: dict[str, Any] = {}
    for name, wanted in schema["properties"].items():
        genre = str(wanted.get("description", name)).rpartition(" > ")[2].removeprefix("ideas for ")
        document[name] = [_idea(*next(unused), genre, platform) for _ in range(wanted["minItems"])]
    return document


def _idea(number: int, title: str, genre: str, platform: str) -> dict[str, str]:
    words = {"genre": genre, "platform": platform, "thing": title.lower()}
    return {
        "title": title,
        "logline": _LOGLINES[number % len(_LOGLINES)].format(**words),
        "description": _DESCRIPTIONS[number % len(_DESCRIPTIONS)].format(**words),
    }


def _unused_titles(seed: int, prompt: str) -> Iterator[str]:
    """Yield titles that the prompt does not contain: 144 at most; two in a row have no word in common."""
    for number in range(seed, seed + len(_FIRST) * len(_SECOND)):
        row, column = number // len(_FIRST) % len(_SECOND), number % len(_FIRST)
        title = f"The {_FIRST[column]} {_SECOND[(row + column) % len(_SECOND)]}"
        if title not in prompt:
            yield title


def _ranking(schema: Schema, prompt: str) -> dict[str, Any]:
    numbers = sorted(
        schema["$defs"]["Ranked"]["properties"]["number"]["enum"], key=lambda each: seed_of(f"{each}{prompt}")
    )
    return {
        "ranking": [
            {"number": number, "reason": _REASONS[index % len(_REASONS)].format(title=_title_of(number, prompt))}
            for index, number in enumerate(numbers)
        ]
    }


def _groups(schema: Schema, _: str) -> dict[str, Any]:
    numbers = schema["$defs"]["Group"]["properties"]["numbers"]["items"]["enum"]
    bounds = schema["properties"]["groups"]
    count = min(max(len(numbers) // _IDEAS_PER_GROUP, bounds["minItems"]), bounds["maxItems"])
    return {
        "groups": [
            {"name": name, "reason": reason, "numbers": numbers[index::count]}
            for index, (name, reason) in enumerate(_GROUPS[:count])
        ]
    }


# The name of the schema and of its only definition → the function that writes its document.
_WRITERS: Final[dict[tuple[str | None, ...], Callable[[Schema, str], dict[str, Any]]]] = {
    ("ideas", "Draft"): _ideas,
    ("ranking", "Ranked"): _ranking,
    ("groups", "Group"): _groups,
}


def _title_of(number: int, prompt: str) -> str:
    found = re.search(rf"^{number}\. (.*) \(.*\): ", prompt, re.MULTILINE)
    return found[1] if found else f"Number {number}"


def _labelled(label: str, prompt: str) -> str | None:
    found = re.search(rf"^{label}: (.*)$", prompt, re.MULTILINE)
    return found[1].strip() if found else None
