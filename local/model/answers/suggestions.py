"""What the scripted model writes for the application `suggestions`: features for the page that the prompt names."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from local.model.documents import DocumentWriter
from local.model.prompt import Prompt
from local.model.prose import Brief, Thought, fill_in, seed_of

_TEXT: Final = r'["*_]*\s*[:=]["*_]*\s*"?(?P<value>[^"\n]{1,200})'
_SUBJECT: Final = re.compile(
    r"(?:page[ _-]?or[ _-]?component|page(?:[ _-]?name)?|component(?:[ _-]?name)?|screen|subject|topic)" + _TEXT,
    re.IGNORECASE,
)
_TYPE: Final = re.compile(r"(?:feature[ _-]?type|kind(?: of feature)?|category)" + _TEXT, re.IGNORECASE)
_PRIORITY: Final = re.compile(r"priority(?:[ _-]?level)?" + _TEXT, re.IGNORECASE)
_TYPES: Final = ("enhancement", "new-capability", "optimization", "ui-improvement", "integration")
_PRIORITIES: Final = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True)
class FeatureBrief(Brief):
    """The page, the kind of feature and the priority that a prompt names."""

    feature_type: str
    priority: str

    def thought(self, position: int) -> Thought:
        """Return the feature at a position of the list."""
        feature = fill_in(_FEATURES[self.feature_type], self.subject, self.seed, position)
        return replace(feature, rationale=f"{feature.rationale} {_URGENCY[self.priority]}")

    def choice(self, name: str) -> Any:
        """Return the priority or the kind of feature that the prompt names."""
        return {"priority": self.priority, "prioritylevel": self.priority, "featuretype": self.feature_type}.get(name)


def answer(prompt: Prompt) -> Any:
    """Return suggestions for a prompt of this application, or None for any other prompt."""
    schema = prompt.schema
    if schema is None or (prompt.schema_name, *schema.get("$defs", {})) != ("suggestions", "Suggestion"):
        return None
    return DocumentWriter(schema, feature_brief(prompt.text)).write()


def feature_brief(text: str) -> FeatureBrief:
    """Read the page, the kind of feature and the priority from the user's messages."""
    subject = _found(_SUBJECT, text).rstrip(" .,;}")
    return FeatureBrief(
        subject=_with_article(subject) if subject else "this page",
        seed=seed_of(text),
        feature_type=_one_of(_TYPES, _found(_TYPE, text), text) or _TYPES[0],
        priority=_one_of(_PRIORITIES, _found(_PRIORITY, text), text) or "medium",
    )


_URGENCY: Final = {
    "low": "It can wait for a quiet sprint and still pays for itself.",
    "medium": "It fits the next planning round without moving anything else.",
    "high": "It belongs near the top of the list: the loss is felt every day it is missing.",
    "critical": "It should come before anything else, because people are stopped by it today.",
}

# Each: title, rationale, description, considerations. "{subject}" is the page that the prompt names.
_FEATURES: Final[dict[str, tuple[tuple[str, str, str, tuple[str, ...]], ...]]] = {
    "enhancement": (
        (
            "Pick up where you left off in {subject}",
            "People leave {subject} half done and start over when they come back.",
            "Keep each person's place, filters and unsaved input for {subject} and offer them again on the next visit, "
            "with one click to start afresh.",
            (
                "Store the draft per user with an expiry",
                "Tell apart devices that edit the same draft",
                "Never restore a secret",
            ),
        ),
        (
            "Undo for every action in {subject}",
            "A confirmation dialog slows everybody down; a mistake only concerns a few.",
            "Replace the confirmations of {subject} by an undo that stays ten seconds and works from the keyboard too.",
            ("Delay the effect rather than reverse it", "Announce the undo to screen readers", "Log what was undone"),
        ),
        (
            "Saved views for {subject}",
            "The same three filters are set by hand every morning.",
            "Let people name a combination of filter, order and columns of {subject} and share it as a link.",
            ("Keep the view in the address", "Cope with columns that no longer exist", "Limit views per user"),
        ),
    ),
    "new-capability": (
        (
            "Bulk actions for {subject}",
            "Larger teams repeat one step of {subject} dozens of times.",
            "Select many entries of {subject}, preview what would change, and run it as one job whose progress shows.",
            ("Cap the size of one run", "Report partial failure per entry", "Make a repeated request harmless"),
        ),
        (
            "Comments and mentions in {subject}",
            "Decisions about {subject} are taken in chat, where nobody finds them later.",
            "Attach a conversation to any entry of {subject}; a mention notifies, a resolved thread folds away.",
            ("Check access when someone is mentioned", "Batch notifications", "Keep comments in the export"),
        ),
        (
            "Scheduled reports from {subject}",
            "Someone copies figures out of {subject} every Monday.",
            "Send a chosen view of {subject} by mail or webhook on a schedule, as a table and as a file.",
            ("Run in the reader's time zone", "Sign the webhook", "Stop after repeated failures and say so"),
        ),
    ),
    "optimization": (
        (
            "Show {subject} before everything is loaded",
            "Half of the wait in {subject} is for parts that are below the fold.",
            "Render what {subject} shows first from a small answer, stream the rest, and keep the layout still.",
            ("Reserve space so that nothing jumps", "Measure at the 95th percentile", "Keep one request per view"),
        ),
        (
            "Cache what {subject} asks for twice",
            "Nine of ten requests of {subject} return what was returned a minute ago.",
            "Answer repeated reads of {subject} from a cache that a write invalidates, checked by an entity tag.",
            (
                "Key the cache by permission",
                "Invalidate on write, not by time alone",
                "Expose the hit rate as a metric",
            ),
        ),
        (
            "Less work per keystroke in {subject}",
            "Typing in {subject} searches on every key and drops frames on small machines.",
            "Wait for a pause, cancel the search that is out of date, and render only the visible rows of {subject}.",
            ("Cancel on the server too", "Keep results in order of asking", "Test on a slow processor"),
        ),
    ),
    "ui-improvement": (
        (
            "An empty state that helps in {subject}",
            "New people meet {subject} with nothing in it and leave.",
            "Explain in one line what {subject} is for, show a worked example, and offer the first step as a button.",
            ("Distinguish empty from filtered to nothing", "Translate the example", "Drop it after the first entry"),
        ),
        (
            "Keyboard paths through {subject}",
            "Frequent users of {subject} reach for the mouse forty times an hour.",
            "Give every action of {subject} a shortcut, a visible focus and a palette that finds it by name.",
            ("Leave the browser's own shortcuts alone", "List them on one page", "Test with a screen reader"),
        ),
        (
            "Calmer errors in {subject}",
            "A failed request in {subject} shows a code and clears the form.",
            "Say what happened beside the field it concerns, keep what was typed, and offer the retry in place.",
            ("Keep focus where it was", "Map every code to one sentence", "Do not rely on colour alone"),
        ),
    ),
    "integration": (
        (
            "Webhooks for what happens in {subject}",
            "Other tools ask {subject} every minute whether something has changed.",
            "Send signed events from {subject} to endpoints people register, with retries and a log to replay from.",
            ("Refuse private addresses", "Rotate signing keys", "Give each event an id that survives retries"),
        ),
        (
            "Two-way calendar link for {subject}",
            "Dates in {subject} are copied into calendars by hand and drift apart.",
            "Publish the dates of {subject} as a calendar feed and take changes back through the provider's interface.",
            ("Resolve conflicts by the later edit", "Ask for the narrowest scope", "Handle recurring entries"),
        ),
        (
            "Import and export of {subject} as files",
            "Moving to {subject} means typing everything in again.",
            "Read and write {subject} as CSV and JSON, with a preview that names each row that does not fit.",
            ("Stream large files", "Keep a stable column order", "Escape formulas in CSV"),
        ),
    ),
}


def _with_article(subject: str) -> str:
    described = re.search(
        r" (page|component|screen|form|dialog|panel|view|list|table|section|menu|bar|card|modal)$", subject
    )
    return f"the {subject}" if described and not subject.lower().startswith(("the ", "a ", "our ", "my ")) else subject


def _found(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found["value"].strip() if found else ""


def _one_of(choices: tuple[str, ...], labelled: str, text: str) -> str | None:
    """Return the choice that the label names; without one, the first choice that the text contains."""
    for words in (labelled, text):
        plain = re.sub(r"[\s_]+", "-", words.lower())
        named = [(found.start(), choice) for choice in choices if (found := re.search(rf"\b{choice}\b", plain))]
        if named:
            return min(named)[1]
    return None
