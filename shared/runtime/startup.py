"""Keeps out of a cold start what nobody needs by then: collecting garbage, and building models that are not used.

What a start makes, modules, clients and schemas, stays for the life of the process: a hundred and fifty thousand
objects, in which the collector would look for garbage again and again, for a seventh of the start's CPU. And FastAPI
brings some forty models that describe OpenAPI, which no function does: building them is a tenth.
"""

from __future__ import annotations

import functools
import gc

from pydantic import BaseModel

_USUAL = gc.get_threshold()
_OUT_OF_REACH = 500_000  # objects, more than any start makes; a bound all the same where nobody says `over`


def begin() -> None:
    """To be called before FastAPI is imported."""
    gc.set_threshold(_OUT_OF_REACH, *_USUAL[1:])
    # What all models inherit, unless they say otherwise.
    BaseModel.model_config["defer_build"] = True


@functools.cache
def finish() -> None:
    """The first answer is given, or the snapshot is about to be taken: collect from now on, but not what is there."""
    gc.freeze()
    gc.set_threshold(*_USUAL)
