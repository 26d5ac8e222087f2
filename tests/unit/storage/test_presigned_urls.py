"""Presigned URLs and forms are what every bucket takes from a browser: its regional name, and a new signature."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from boto3.session import Session

from shared.storage import aws
from shared.storage.objects import Objects


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_urls_and_forms_have_the_regional_name_of_the_bucket_and_a_signature_of_version_4(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        aws, "_session", lambda: Session(region_name=region, aws_access_key_id="a", aws_secret_access_key="b")
    )
    monkeypatch.setattr(aws, "client", aws.client.__wrapped__)

    url = Objects("bucket").put_url("sheets/file", size=10, content_type="text/csv", seconds=60)
    form, fields = Objects("bucket").post_form("uploads/file", size=10, content_type="image/png", seconds=60)

    assert urlsplit(url).netloc == urlsplit(form).netloc == f"bucket.s3.{region}.amazonaws.com"
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    assert fields["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
