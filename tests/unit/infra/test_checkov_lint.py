"""A foreign linter: each failed check is mended, or skipped with a reason in its resource; no skip covers nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.validate_template import checkov_lint
from tools.validate_template.checkov_lint import FUNCTIONS, Skip, findings, lint_as_checkov, skips_of

TEMPLATE = """\
Globals:
  Function:
    # checkov:skip=CKV_AWS_117: no private network
    Runtime: python3.13

Resources:
  Bucket:
    # Texts.
    # checkov:skip=CKV_AWS_18: only our functions read it
    Type: AWS::S3::Bucket
"""


def failure(check: str, resource: str) -> dict[str, str]:
    return {"check_id": check, "check_name": "Ensure it", "resource": resource}


def test_a_skip_is_for_the_resource_that_contains_it_or_for_every_function() -> None:
    assert list(skips_of(TEMPLATE)) == [Skip(FUNCTIONS, "CKV_AWS_117"), Skip("Bucket", "CKV_AWS_18")]


def test_a_skip_without_a_reason_is_none() -> None:
    assert list(skips_of("  Bucket:\n    # checkov:skip=CKV_AWS_18:\n    # checkov:skip=CKV_AWS_18\n")) == []


def test_a_failure_that_is_skipped_is_not_found() -> None:
    failed = [failure("CKV_AWS_117", "AWS::Lambda::Function.Any"), failure("CKV_AWS_18", "AWS::S3::Bucket.Bucket")]
    assert list(findings(failed, list(skips_of(TEMPLATE)))) == []


def test_a_failure_that_is_not_skipped_and_a_skip_of_nothing_are_found() -> None:
    failed = [failure("CKV_AWS_18", "AWS::S3::Bucket.Other"), failure("CKV_AWS_117", "AWS::Lambda::Function.Any")]
    found = [str(each) for each in findings(failed, list(skips_of(TEMPLATE)))]
    assert found == [
        "Other: CKV_AWS_18 Ensure it",
        "Bucket: CKV_AWS_18 is skipped here, but does not fail: remove the comment",
    ]


@pytest.mark.parametrize(("variable", "found"), [("true", 1), ("", 0)])
def test_checkov_may_be_missing_except_in_ci(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, found: int
) -> None:
    monkeypatch.setattr(checkov_lint, "PROGRAM", tmp_path / "none")
    monkeypatch.setenv("CI", variable)
    assert len(lint_as_checkov(tmp_path / "template.yaml")) == found
    assert checkov_lint.note(tmp_path) == "left out, because .venv-checkov is missing: make .venv-checkov/.synced"
