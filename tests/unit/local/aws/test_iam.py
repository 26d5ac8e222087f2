"""Roles: the grants of their policies, and the record of their use."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.aws.iam import Access, AccessControl, Grant, grants_of, resource_of
from local.template.intrinsics import TemplateError
from local.template.template import Template

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/millrace-Things"
BUCKET = "arn:aws:s3:::millrace-bucket"


def template(tmp_path: Path, statement: str) -> Template:
    file = tmp_path / "template.yaml"
    function = "Type: AWS::Serverless::Function, Properties: {CodeUri: work/, Handler: app.handler, Policies: "
    file.write_text(
        "Resources:\n"
        "  Things: {Type: AWS::DynamoDB::Table, Properties: {}}\n"
        f"  Work: {{{function}[{{Statement: [{statement}]}}]}}}}\n"
    )
    return Template(file)


def test_a_role_is_granted_each_action_of_a_statement_on_each_resource(tmp_path: Path) -> None:
    statement = (
        "{Effect: Allow, Action: [dynamodb:GetItem, dynamodb:Query], "
        "Resource: [!GetAtt Things.Arn, !Sub '${Things.Arn}/index/ByOwner']}"
    )

    granted = grants_of(template(tmp_path, statement))

    assert granted == {
        "WorkRole": tuple(
            Grant(f"dynamodb:{action}", f"{TABLE}{index}")
            for action in ("GetItem", "Query")
            for index in ("", "/index/ByOwner")
        )
    }


@pytest.mark.parametrize(
    "statement",
    [
        "{Effect: Deny, Action: [s3:GetObject], Resource: x}",
        "{Effect: Allow, NotAction: [s3:GetObject], Resource: x}",
        "{Effect: Allow, Action: [s3:GetObject], Resource: x, Condition: {Bool: {aws:SecureTransport: true}}}",
    ],
)
def test_an_unsupported_statement_is_refused(tmp_path: Path, statement: str) -> None:
    with pytest.raises(TemplateError, match=r"^Work\.Policies: "):
        grants_of(template(tmp_path, statement))


@pytest.mark.parametrize(
    ("pattern", "arn", "covered"),
    [
        (TABLE, TABLE, True),
        (TABLE, f"{TABLE}/index/ByOwner", False),
        (TABLE, f"{TABLE}2", False),
        (f"{BUCKET}/jobs/*", f"{BUCKET}/jobs/job_1/snapshot-1", True),
        (f"{BUCKET}/jobs/*", f"{BUCKET}/runs/run_1/ideas", False),
        (f"{BUCKET}/job?/*", f"{BUCKET}/jobs/job_1", True),
        (f"{BUCKET}/[jr]*", f"{BUCKET}/jobs/job_1", False),
    ],
)
def test_a_grant_covers_the_arns_that_match_its_pattern(pattern: str, arn: str, covered: bool) -> None:
    assert Grant("s3:GetObject", pattern).covers(arn) is covered


@pytest.mark.parametrize(("prefix", "allowed"), [("runs/run_1/", True), ("jobs/job_1/", False), ("", False)])
def test_listing_a_bucket_is_limited_to_the_prefix(prefix: str, allowed: bool) -> None:
    grant = Grant("s3:ListBucket", BUCKET, ("runs/*",))

    assert grant.allows(Access("s3:ListBucket", BUCKET, prefix)) is allowed


@pytest.mark.parametrize(
    ("arn", "resource"),
    [
        (TABLE, TABLE),
        (BUCKET, BUCKET),
        (f"{BUCKET}/jobs/job_1/snapshot-1", f"{BUCKET}/jobs/*"),
        (f"{BUCKET}/at_the_top", f"{BUCKET}/at_the_top"),
        (
            "arn:aws:states:us-east-1:123456789012:execution:millrace-work:job_1",
            "arn:aws:states:us-east-1:123456789012:execution:millrace-work:*",
        ),
    ],
)
def test_use_is_recorded_by_resources_that_a_policy_can_name(arn: str, resource: str) -> None:
    assert resource_of(arn) == resource


def test_each_used_and_each_refused_access_is_recorded_once() -> None:
    control = AccessControl({"WorkRole": [Grant("s3:GetObject", f"{BUCKET}/jobs/*")]})
    one, two = (Access("s3:GetObject", f"{BUCKET}/jobs/{name}") for name in ("a/1", "b/2"))
    other = Access("s3:GetObject", f"{BUCKET}/runs/a/1")

    assert [control.first_refused("WorkRole", [access]) for access in (one, two, other, other)] == [
        None,
        None,
        other,
        other,
    ]
    assert control.first_refused("WorkRole", [one, other]) == other
    assert control.as_json() == {
        "used": [["WorkRole", "s3:GetObject", f"{BUCKET}/jobs/*"]],
        "refused": [["WorkRole", "s3:GetObject", other.arn]],
    }


def test_an_allowed_access_does_not_allow_another_in_the_same_folder() -> None:
    control = AccessControl({"WorkRole": [Grant("s3:GetObject", f"{BUCKET}/jobs/a*")]})
    inside, outside = (Access("s3:GetObject", f"{BUCKET}/jobs/{name}") for name in ("a/1", "b/2"))

    assert control.first_refused("WorkRole", [inside]) is None
    assert control.first_refused("WorkRole", [outside]) == outside


def test_only_the_templates_roles_are_known() -> None:
    control = AccessControl({"WorkRole": []})

    assert (control.knows("WorkRole"), control.knows("local"), control.knows("")) == (True, False, False)
