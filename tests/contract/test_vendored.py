"""The libraries in functions/console/static/vendor/ are those that tools/vendor/package.json names."""

from __future__ import annotations

import json

from tests.layout import ROOT

VENDORED = ROOT / "functions/console/static/vendor"


def test_the_grid_has_the_version_that_is_locked_and_its_licence() -> None:
    lock = json.loads((ROOT / "tools/vendor/package-lock.json").read_text())
    version = lock["packages"]["node_modules/ag-grid-community"]["version"]

    assert f"ag-grid-community {version}," in (VENDORED / "ag_grid/ag_grid.js").read_text()[:200]
    assert "MIT" in (VENDORED / "ag_grid/LICENSE.txt").read_text()
