"""The actions and resources that a request to AWS needs."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from local.aws.http_server import Environ
from local.aws.iam import Access
from local.aws.requests import accesses_of, role_of_signer

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/"
STATES = "arn:aws:states:us-east-1:123456789012:"


def call(target: str, **request: Any) -> Environ:
    body = io.BytesIO(json.dumps(request).encode())
    return {"HTTP_X_AMZ_TARGET": target, "REQUEST_METHOD": "POST", "PATH_INFO": "/", "wsgi.input": body}


def rest(method: str, path: str, query: str = "") -> Environ:
    return {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "wsgi.input": io.BytesIO()}


@pytest.mark.parametrize(
    ("operation", "request_body", "expected"),
    [
        ("GetItem", {"TableName": "jobs"}, [("GetItem", "jobs")]),
        ("Query", {"TableName": "jobs"}, [("Query", "jobs")]),
        ("Query", {"TableName": "jobs", "IndexName": "ByOwner"}, [("Query", "jobs/index/ByOwner")]),
        (
            "BatchGetItem",
            {"RequestItems": {"jobs": {}, "runs": {}}},
            [("BatchGetItem", "jobs"), ("BatchGetItem", "runs")],
        ),
        ("BatchWriteItem", {"RequestItems": {"jobs": []}}, [("BatchWriteItem", "jobs")]),
        (
            "TransactWriteItems",
            {
                "TransactItems": [
                    {"Put": {"TableName": "jobs"}},
                    {"Update": {"TableName": "runs"}},
                    {"Delete": {"TableName": "runs"}},
                    {"ConditionCheck": {"TableName": "jobs"}},
                ]
            },
            [("PutItem", "jobs"), ("UpdateItem", "runs"), ("DeleteItem", "runs"), ("ConditionCheckItem", "jobs")],
        ),
        ("TransactGetItems", {"TransactItems": [{"Get": {"TableName": "jobs"}}]}, [("GetItem", "jobs")]),
    ],
)
def test_a_dynamodb_request_needs_its_tables_its_indexes_and_the_parts_of_its_transaction(
    operation: str, request_body: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    needed = accesses_of(call(f"DynamoDB_20120810.{operation}", **request_body))

    assert needed == [Access(f"dynamodb:{action}", TABLE + resource) for action, resource in expected]


def test_the_body_can_be_read_again() -> None:
    environ = call("DynamoDB_20120810.GetItem", TableName="jobs")

    accesses_of(environ)

    assert json.loads(environ["wsgi.input"].read()) == {"TableName": "jobs"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            call("AWSStepFunctions.StartExecution", stateMachineArn=f"{STATES}stateMachine:work", name="job_1"),
            Access("states:StartExecution", f"{STATES}stateMachine:work"),
        ),
        (
            call("AWSStepFunctions.StopExecution", executionArn=f"{STATES}execution:work:job_1"),
            Access("states:StopExecution", f"{STATES}execution:work:job_1"),
        ),
        (call("AWSStepFunctions.ListStateMachines"), Access("states:ListStateMachines", f"{STATES}*")),
        (call("secretsmanager.GetSecretValue", SecretId="arn:x"), Access("secretsmanager:GetSecretValue", "arn:x")),
        (rest("GET", "/bucket/jobs/a/1"), Access("s3:GetObject", "arn:aws:s3:::bucket/jobs/a/1")),
        (rest("HEAD", "/bucket/jobs/a/1"), Access("s3:GetObject", "arn:aws:s3:::bucket/jobs/a/1")),
        (rest("PUT", "/bucket/jobs/a/1"), Access("s3:PutObject", "arn:aws:s3:::bucket/jobs/a/1")),
        (rest("DELETE", "/bucket/jobs/a/1"), Access("s3:DeleteObject", "arn:aws:s3:::bucket/jobs/a/1")),
        (rest("GET", "/bucket", "list-type=2&prefix=runs%2F"), Access("s3:ListBucket", "arn:aws:s3:::bucket", "runs/")),
        (rest("GET", "/bucket", "list-type=2"), Access("s3:ListBucket", "arn:aws:s3:::bucket", "")),
        (rest("DELETE", "/bucket"), Access("s3:DELETEBucket", "arn:aws:s3:::bucket")),
        (
            rest("POST", "/2015-03-31/functions/work/invocations"),
            Access("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:work"),
        ),
        (rest("POST", "/2015-03-31/functions/arn:aws:x/invocations"), Access("lambda:InvokeFunction", "arn:aws:x")),
    ],
)
def test_a_request_to_another_service_needs_one_action_and_resource(environ: Environ, expected: Access) -> None:
    assert accesses_of(environ) == [expected]


def test_the_signer_is_named_by_its_access_key() -> None:
    signature = "AWS4-HMAC-SHA256 Credential=WorkFunctionRole/20261121/us-east-1/s3/aws4_request, SignedHeaders=host"

    assert role_of_signer({"HTTP_AUTHORIZATION": signature}) == "WorkFunctionRole"
    assert role_of_signer({}) == ""
    in_url = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=WorkFunctionRole%2F20261121%2Fus-east-1%2Fs3%2Faws4_request"
    )
    assert role_of_signer({"QUERY_STRING": in_url}) == "WorkFunctionRole"
    assert role_of_signer({"QUERY_STRING": in_url, "REQUEST_METHOD": "OPTIONS"}) == ""


def test_deleting_several_objects_needs_the_action_for_each() -> None:
    body = b"<Delete><Object><Key>a/1</Key></Object><Object><Key>b&amp;c</Key></Object></Delete>"
    environ = {**rest("POST", "/bucket", "delete"), "wsgi.input": io.BytesIO(body)}

    assert accesses_of(environ) == [
        Access("s3:DeleteObject", "arn:aws:s3:::bucket/a/1"),
        Access("s3:DeleteObject", "arn:aws:s3:::bucket/b&c"),
    ]
    assert environ["wsgi.input"].read() == body
