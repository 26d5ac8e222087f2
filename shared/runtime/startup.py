"""Keep three things out of a cold start: garbage collection, unused models, and compiling one annotation many times.

A start makes about 150,000 objects (modules, clients, schemas) that stay for the life of the process. The garbage
collector searches them again and again, which takes a seventh of the start's CPU time. FastAPI defines about forty
models for OpenAPI descriptions, which no function writes; building them takes a tenth. `typing` compiles the text of
every annotation of a typed dictionary: about 1,000 texts, of which 270 differ.
"""

from __future__ import annotations

import functools
import gc
import importlib
import typing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

_NORMAL_THRESHOLD = gc.get_threshold()
_START_THRESHOLD = 500_000  # objects: more than a start makes, and still a limit if `finish` is never called


def begin() -> None:
    """Raise the garbage collector's threshold, compile equal annotations once, and defer the building of models.

    Call this before importing pydantic and FastAPI.
    """
    gc.set_threshold(_START_THRESHOLD, *_NORMAL_THRESHOLD[1:])
    # `typing` finds this before Python's own function. Code objects cannot change, so annotations may share one.
    vars(typing).setdefault("compile", functools.cache(compile))
    from pydantic import BaseModel  # noqa: PLC0415 - it has 500 of these annotations

    # All models inherit this, unless they set it themselves.
    BaseModel.model_config["defer_build"] = True


def import_fastapi() -> None:
    """Import FastAPI, and leave the models of its OpenAPI module to be built on first use.

    That module ends with `model_rebuild()` for three models, which builds nearly all of them in spite of
    `defer_build`: 4 % of a start.
    """
    from pydantic import BaseModel  # noqa: PLC0415

    base: Any = BaseModel
    rebuild = base.__dict__["model_rebuild"]

    def rebuild_on_use(model: type[BaseModel], /, **options: Any) -> bool | None:
        # If a model is used that is not built yet, pydantic itself calls this, always with options.
        built: bool | None = rebuild.__get__(None, model)(**options) if options else None
        return built

    base.model_rebuild = classmethod(rebuild_on_use)
    try:
        importlib.import_module("fastapi")
    finally:
        base.model_rebuild = rebuild


@functools.cache
def finish() -> None:
    """Start garbage collection again, only for objects that are made from now on, and forget compiled annotations.

    Call this after the first response, or before a SnapStart snapshot is taken.
    """
    vars(typing).pop("compile", None)
    gc.freeze()
    gc.set_threshold(*_NORMAL_THRESHOLD)
