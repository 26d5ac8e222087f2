"""Presigned URLs name the bucket in its region: the global name redirects, and a browser does not follow that."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from boto3.session import Session

from shared.storage import aws
from shared.storage.objects import Objects


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_a_presigned_url_has_the_regional_name_of_the_bucket(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        aws, "_session", lambda: Session(region_name=region, aws_access_key_id="a", aws_secret_access_key="b")
    )
    monkeypatch.setattr(aws, "client", aws.client.__wrapped__)

    url = Objects("bucket").put_url("sheets/file", size=10, content_type="text/csv", seconds=60)

    assert urlsplit(url).netloc == f"bucket.s3.{region}.amazonaws.com"
