"""Keeps the garbage collector out of a cold start.

What a start makes, modules, clients and schemas, stays for the life of the process: a hundred and fifty thousand
objects, in which the collector would look for garbage again and again, for a seventh of the start's CPU.
"""

from __future__ import annotations

import functools
import gc

_USUAL = gc.get_threshold()
_OUT_OF_REACH = 500_000  # objects, more than any start makes; a bound all the same where nobody says `over`


def begin() -> None:
    gc.set_threshold(_OUT_OF_REACH, *_USUAL[1:])


@functools.cache
def over() -> None:
    """The first answer is given, or the snapshot is about to be taken: collect from now on, but not what is there."""
    gc.freeze()
    gc.set_threshold(*_USUAL)
