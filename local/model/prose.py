"""Generic English for the scripted model, about the subject that a prompt names."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final

from local.model.directives import without_directives

_LABELLED_LINE: Final = re.compile(
    r'^[^\w\n]*(?P<label>\w[\w -]{0,40}?)["*_]*\s*[:=]["*_]*\s*"?(?P<value>[^"\n]{1,200})', re.MULTILINE
)
_LONGEST_SUBJECT_IN_TITLE: Final = 60


@dataclass(frozen=True, slots=True)
class Thought:
    """A few sentences about a subject, in the parts that a document may ask for."""

    title: str
    rationale: str
    description: str
    considerations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Brief:
    """The subject of a prompt, and a vocabulary about it; `seed` decides between equal choices."""

    subject: str
    seed: int

    def thought(self, position: int) -> Thought:
        """Return the thought at a position of a list: different ones first, then the same again with a number."""
        return fill_in(_THOUGHTS, self.subject, self.seed, position)

    def sentence(self, name: str, topic: int, position: int) -> str | None:
        """Return a text for the property; see `local.model.documents.Vocabulary`."""
        part = next((part for part, words in _PARTS if any(word in name for word in words)), None)
        thought = self.thought(topic)
        match part:
            case "consideration":
                return _consideration(thought, position)
            case "title":
                return thought.title
            case "rationale":
                return thought.rationale
            case "description":
                return thought.description
            case _:
                return None

    def choice(self, name: str) -> Any:  # noqa: ARG002 - an application's vocabulary reads it
        """Return None: the generic vocabulary does not know which value a prompt asks for."""
        return None


# A word that the name of a property contains → the part of a thought that the property gets. The first match decides.
_PARTS: Final = (
    ("consideration", ("consideration", "implementation", "risk", "note", "step", "task")),
    ("title", ("title", "headline", "heading")),
    ("rationale", ("rationale", "reason", "why", "justification", "benefit", "impact")),
    ("description", ("description", "detail", "summary", "text", "content", "body", "answer")),
)

# Each: title, rationale, description, considerations. "{subject}" is the subject that the prompt names.
_THOUGHTS: Final = (
    (
        "The smallest useful part of {subject}",
        "A small result shows within a day whether the direction is right.",
        "Choose one part of {subject} that can be finished alone, finish it, and show it to the people it is for.",
        ("Choose the part with the fewest dependencies", "Write down what is left out", "Ask one person to try it"),
    ),
    (
        "{subject}, planned from the end",
        "Most plans turn out to be wrong in their last step.",
        "Describe {subject} as it is when it is complete. Then name what must be true one step earlier, and so on.",
        ("Give each step one owner", "Mark the steps that nobody has tried", "Stop at the first step of today"),
    ),
    (
        "Two versions of {subject}",
        "People judge a comparison faster and better than a single draft.",
        "Prepare {subject} in two versions that differ in one thing only, and let three people choose between them.",
        ("Change only one thing", "Ask for the reason of each choice", "Keep the version that was not chosen"),
    ),
)


def brief_of(messages: list[str]) -> Brief:
    """Return the subject of the user's messages: the value of the first line that is written as `label: value`."""
    text = "\n".join(messages)
    found = _LABELLED_LINE.search(without_directives(text))
    subject = found["value"].strip().rstrip(" .,;}") if found else ""
    return Brief(subject or "this request", seed_of(text))


def seed_of(text: str) -> int:
    """Return a number that depends on the text only."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])


def fill_in(
    templates: tuple[tuple[str, str, str, tuple[str, ...]], ...], subject: str, seed: int, position: int
) -> Thought:
    """Return a thought about the subject from one of the templates; the seed decides which template comes first."""
    title, rationale, description, considerations = templates[(seed + position) % len(templates)]
    round_ = position // len(templates)
    start = seed % len(considerations)
    return Thought(
        title=title.format(subject=_shortened(subject)) + (f", part {round_ + 1}" if round_ else ""),
        rationale=rationale.format(subject=subject),
        description=description.format(subject=subject),
        considerations=considerations[start:] + considerations[:start],
    )


def essay(brief: Brief) -> str:
    """Return a text for a prompt without a schema."""
    parts = [f"Three thoughts on {brief.subject}, from the scripted model."]
    for position in range(3):
        thought = brief.thought(position)
        parts.append(f"{position + 1}. {thought.title}. {thought.rationale} {thought.description}")
    return "\n\n".join(parts)


def _consideration(thought: Thought, position: int) -> str:
    round_ = position // len(thought.considerations)
    text = thought.considerations[position % len(thought.considerations)]
    return text + (f" (again, stage {round_ + 1})" if round_ else "")


def _shortened(subject: str) -> str:
    longest = _LONGEST_SUBJECT_IN_TITLE
    return subject if len(subject) <= longest else subject[: longest - 1].rstrip() + "…"
