"""The libraries in functions/console/static/vendor/ are those that tools/vendor/package.json names."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.layout import ROOT

VENDORED = ROOT / "functions/console/static/vendor"


@pytest.mark.parametrize(
    ("package", "file"), [("ag-grid-community", "ag_grid/ag_grid.js"), ("preact", "preact/preact.js")]
)
def test_a_library_has_the_version_that_is_locked_and_its_licence(package: str, file: str) -> None:
    lock = json.loads((ROOT / "tools/vendor/package-lock.json").read_text())
    version = lock["packages"][f"node_modules/{package}"]["version"]

    assert f"{package} {version}," in (VENDORED / file).read_text()[:200]
    assert "MIT" in (VENDORED / file).with_name("LICENSE.txt").read_text()


def test_the_files_are_those_that_make_vendor_has_built() -> None:
    lines = (ROOT / "tools/vendor/SHA256SUMS").read_text().splitlines()
    built = {name: digest for digest, name in (line.split("  ") for line in lines)}

    found = {path.relative_to(VENDORED).as_posix(): path for path in VENDORED.rglob("*.js")}

    assert built == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}
