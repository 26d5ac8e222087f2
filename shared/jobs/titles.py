"""The title of a job: a short text of its input by which its owner recognizes and finds it."""

from __future__ import annotations

LONGEST_TITLE = 80
"""Characters of a title; a longer one is cut. Every kilobyte of a job's item is a write unit at each of its writes."""


def short_title(text: str) -> str | None:
    """Return the text in one line of at most LONGEST_TITLE characters; None if nothing is left."""
    line = " ".join(text.split())
    if len(line) > LONGEST_TITLE:
        line = line[: LONGEST_TITLE - 1].rstrip() + "…"
    return line or None


def found_by(search: str, *, job_id: str, title: str | None) -> bool:
    """Return whether the title contains the text, whatever the case, or the id begins with it or contains it whole.

    The id may be written without `job_` and the character for its cell.
    """
    wanted = " ".join(search.split()).casefold()
    if title is not None and wanted in title.casefold():
        return True
    written = job_id.casefold()
    return written.startswith(wanted) or (len(wanted) >= MOST_AMBIGUOUS and written[-26:].startswith(wanted))


MOST_AMBIGUOUS = 4
"""Characters from which a search may be the beginning of an id without its prefix; all ids of a day begin alike."""
