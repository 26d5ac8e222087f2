"""The form of an upload is held to its policy; tests/storage/test_images.py tests more of its rules on a server."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from boto3.session import Session
from botocore.config import Config

from local.aws.credentials import DUMMY_CREDENTIALS
from local.aws.http_server import Environ
from local.aws.s3_posts import PostRefused, is_post, posted_file
from local.template.intrinsics import REGION
from tests.forms import TYPE, multipart

_CREDENTIALS: Any = DUMMY_CREDENTIALS


def environ_of(fields: dict[str, str], content: bytes = b"x") -> Environ:
    body = io.BytesIO(multipart(fields, content))
    return {"REQUEST_METHOD": "POST", "PATH_INFO": "/bucket", "CONTENT_TYPE": TYPE, "wsgi.input": body}


@pytest.fixture
def fields() -> dict[str, str]:
    s3 = Session(region_name=REGION, **_CREDENTIALS).client("s3", config=Config(signature_version="s3v4"))
    conditions = [["starts-with", "$x-note", "ab"], ["content-length-range", 1, 2]]
    form = s3.generate_presigned_post("bucket", "a/key", Fields={"x-note": "abc"}, Conditions=conditions, ExpiresIn=60)
    fields: dict[str, str] = form["fields"]
    return fields


def test_a_form_is_taken_until_its_policy_expires(fields: dict[str, str]) -> None:
    now = datetime.now(UTC)
    environ = environ_of(fields)
    assert is_post(environ)
    posted = posted_file(environ, now)
    assert (posted.key, posted.content, posted.role) == ("a/key", b"x", "local")
    assert posted.access.arn == "arn:aws:s3:::bucket/a/key"
    with pytest.raises(PostRefused, match="Policy expired"):
        posted_file(environ, now + timedelta(seconds=61))


def test_a_field_may_be_longer_than_what_it_must_start_with_and_ignored_fields_need_no_condition(
    fields: dict[str, str],
) -> None:
    assert posted_file(environ_of({**fields, "x-note": "ab", "x-ignore-me": "1"}), datetime.now(UTC)).key == "a/key"
    with pytest.raises(PostRefused, match="x-note"):
        posted_file(environ_of({**fields, "x-note": "ba"}), datetime.now(UTC))


def test_other_requests_are_no_forms() -> None:
    for change in ({"REQUEST_METHOD": "PUT"}, {"CONTENT_TYPE": "application/xml"}, {"PATH_INFO": "/bucket/key"}):
        assert not is_post({**environ_of({}), **change})
