"""Builds of scenes take as long as a busy machine needs; their CPU time is limited as in the product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from shared.apps.video.build import deno_compiler, test_render, type_check
from tests.patience import PATIENCE


@pytest.fixture(scope="module", autouse=True)
def _patient_builds() -> Iterator[None]:
    """Let no build end because this machine has other work: then a good scene would have a fault."""
    with pytest.MonkeyPatch.context() as patching:
        for module, name in ((deno_compiler, "_LIMITS"), (test_render, "LIMITS"), (type_check, "LIMITS")):
            patching.setattr(module, name, replace(getattr(module, name), seconds=PATIENCE))
        yield
