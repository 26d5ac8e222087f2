"""Everything that is stored of an owner is erased by exactly one part, and what is stored of nobody says why."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from local.template.intrinsics import parse_yaml
from shared.erasure.copies import JOB_FILE_DAYS, RECOVERY_DAYS, UPLOAD_DAYS, copies_outside
from tests.layout import ROOT

TEMPLATE = ROOT / "template.yaml"
_PREFIX = re.compile(r"[A-Z][A-Z_]*#")
_FOLDER = re.compile(r"\$\{ArtefactBucket\.Arn\}/([a-z_-]+)/")
_ROW = re.compile(r"^\| [^|]+ \| `(?P<partition>[A-Z]+#)[^|]*\|", re.MULTILINE)

INSIDE = {
    "JOB#": ("EVT#", "CKPT#"),
    "RUN#": ("TRANSFORM#", "ARTEFACT#"),
    "AGENT#": ("V#",),
    "SESSION#": ("VERSION#", "MSG#", "JOBREF#", "EVT#"),
    "PROJECT#": ("REV#", "SCENE#", "COMP#", "CHAT#", "RENDER#", "IMG#", "PREFS#"),
}
"""The prefixes of sort keys in partitions that are erased as a whole."""

OF_NOBODY = {
    "ERASURE#": "the report of an erasure: it has a hash instead of its owner, and expires after 30 days",
    "LIVE#": "a value of an index, not a key of a table",
    "USER#": "the partition of an owner; what is in it is claimed by the first part of its sort keys",
}
"""Prefixes that no part erases, with the reason."""

FOLDERS_OF_NOBODY = {
    "usage": "the usage ledger: it has pseudonyms, whose key is erased with the owner, and no inputs and outputs",
}
"""Folders of the bucket that no part erases, with the reason."""

DECLARE = """
import json
from shared.assembly import Core
from shared.bootstrap import core
print(json.dumps([[each.name, each.holds, list(each.places)] for each in core().owner_data]))
"""


@pytest.fixture(scope="module")
def declared() -> list[tuple[str, str, list[str]]]:
    """Name, holds and places of every OwnerData. In another process, because the objects on AWS are kept."""
    names = {
        "TABLE_NAME": "jobs",
        "DURABLE_TABLE_NAME": "durable",
        "ARTEFACT_BUCKET": "bucket",
        "DELIVERIES_TABLE_NAME": "deliveries",
    }
    region = {"AWS_DEFAULT_REGION": "us-east-1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", DECLARE],
        env={**os.environ, **names, **region},
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[tuple[str, str, list[str]]] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def places(declared: list[tuple[str, str, list[str]]]) -> list[str]:
    return [place for _, _, places in declared for place in places]


def prefixes_in_code() -> Iterator[str]:
    """Yield the prefixes of keys that the storage modules write."""
    for file in (*(ROOT / "shared/storage").glob("*.py"), *(ROOT / "shared/apps").glob("*/storage/*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                match = _PREFIX.match(node.value)
                if match is not None:
                    yield match.group()


def folders_in_template() -> set[str]:
    return set(_FOLDER.findall(TEMPLATE.read_text()))


def test_names_and_places_are_those_of_one_part_each(declared: list[tuple[str, str, list[str]]]) -> None:
    for values in ([name for name, _, _ in declared], [place for _, _, places in declared for place in places]):
        assert [value for value, count in Counter(values).items() if count > 1] == []
    assert all(re.fullmatch(r"[a-z][A-Za-z]*", name) and holds for name, holds, _ in declared)


def test_each_prefix_of_a_key_is_erased_by_a_part_or_is_of_nobody(places: list[str]) -> None:
    claimed = {word for place in places for word in place.split()[1:]}
    inside = {prefix for partition, prefixes in INSIDE.items() if partition in claimed for prefix in prefixes}
    found = set(prefixes_in_code())
    assert found - claimed - inside - set(OF_NOBODY) == set(), "declare them in an OwnerData: docs/erasure.md"
    assert set(OF_NOBODY) - found == set()


def test_each_partition_that_the_data_model_describes_is_erased_or_of_nobody(places: list[str]) -> None:
    described = set(_ROW.findall((ROOT / "docs/data-model.md").read_text()))
    assert described >= {"JOB#", "RUN#", "SESSION#", "PROJECT#", "CONN#"}
    assert described - {place.split()[1] for place in places} - set(OF_NOBODY) == set()


def test_each_folder_of_the_bucket_is_erased_by_a_part(places: list[str]) -> None:
    claimed = {place.split()[1].rstrip("/") for place in places if place.startswith("ArtefactBucket ")}
    assert folders_in_template() - claimed - set(FOLDERS_OF_NOBODY) == set(), (
        "declare them in an OwnerData: docs/erasure.md"
    )


# ---- copies that it cannot reach -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    found: dict[str, Any] = parse_yaml(TEMPLATE.read_text())["Resources"]
    return found


def test_the_days_of_files_are_those_of_the_lifecycle_rules_and_one_more(resources: dict[str, Any]) -> None:
    rules = resources["ArtefactBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    days = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules}
    assert (days["jobs/"] + 1, days["uploads/"] + 1) == (JOB_FILE_DAYS, UPLOAD_DAYS)


def test_only_the_durable_table_can_be_restored_and_the_bucket_keeps_no_versions(resources: dict[str, Any]) -> None:
    tables = {name: each for name, each in resources.items() if each["Type"] == "AWS::DynamoDB::Table"}
    restorable = {
        name
        for name, table in tables.items()
        if table["Properties"].get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled")
    }
    assert restorable == {"DurableTable"}
    assert "VersioningConfiguration" not in resources["ArtefactBucket"]["Properties"]
    assert RECOVERY_DAYS == 35


def test_the_page_about_erasures_names_each_copy() -> None:
    page = (ROOT / "docs/erasure.md").read_text()
    for copy in copies_outside(log_days=14, reports_errors=True):
        assert f"| `{copy.name}` |" in page
