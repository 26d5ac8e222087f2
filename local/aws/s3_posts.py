"""Hold the POST of a form to a bucket to its signed policy, as S3 does; moto accepts every such form.

The form is then stored as a PUT, so that moto sees the file's own bytes and type.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import io
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote
from xml.sax.saxutils import escape

from local.aws.credentials import DUMMY_CREDENTIALS
from local.aws.http_server import Environ
from local.aws.iam import Access

_UNSIGNED: Final = frozenset({"file", "policy", "x-amz-signature"})
_OWN_CONDITIONS: Final = frozenset({"bucket"})
_SAFE: Final = "/-_.~"
_BOUNDARY: Final = re.compile(r'boundary="?([^";]+)"?')
_NAME: Final = re.compile(rb'[; ]name="([^"]*)"')


class PostRefused(Exception):
    """S3 would refuse the form. `status` and `code` are those of its response."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class PostedFile:
    """A file that a form sends to a bucket. `fields` are its other fields, by their names in lower case."""

    bucket: str
    fields: Mapping[str, str]
    content: bytes

    @property
    def key(self) -> str:
        return self.fields["key"]

    @property
    def role(self) -> str:
        """Return the access key of the signature, which is the name of the role here."""
        return self.fields["x-amz-credential"].partition("/")[0]

    @property
    def access(self) -> Access:
        """Return what the role must be allowed."""
        return Access("s3:PutObject", f"arn:aws:s3:::{self.bucket}/{self.key}")


def is_post(environ: Environ) -> bool:
    """Return whether the request is a form that is sent to a bucket."""
    kind: str = environ.get("CONTENT_TYPE", "")
    path: str = environ["PATH_INFO"].strip("/")
    return environ["REQUEST_METHOD"] == "POST" and kind.startswith("multipart/form-data") and path.count("/") == 0


def posted_file(environ: Environ, now: datetime) -> PostedFile:
    """Return the file of a form whose policy allows it now. Raises PostRefused with S3's response for any other."""
    fields, content = _fields_of(environ)
    posted = PostedFile(environ["PATH_INFO"].strip("/"), fields, content)
    for name in ("key", "policy", "x-amz-credential", "x-amz-signature", "x-amz-date"):
        if name not in fields:
            raise PostRefused(403 if name != "key" else 400, "AccessDenied", f"the form needs the field {name}")
    if not hmac.compare_digest(fields["x-amz-signature"], _signature(fields)):
        message = "The request signature we calculated does not match the signature you provided."
        raise PostRefused(403, "SignatureDoesNotMatch", message)
    _check(_policy_of(fields["policy"]), posted, now)
    return posted


def as_put(environ: Environ, posted: PostedFile) -> Environ:
    """Return the request that stores the file."""
    path = f"/{posted.bucket}/{posted.key}"
    target = quote(path, safe=_SAFE)
    return {
        **{name: value for name, value in environ.items() if name != "HTTP_X_AMZ_CONTENT_SHA256"},
        "REQUEST_METHOD": "PUT",
        "PATH_INFO": path,
        "RAW_URI": target,
        "REQUEST_URI": target,
        "QUERY_STRING": "",
        "CONTENT_TYPE": posted.fields.get("content-type", "binary/octet-stream"),
        "CONTENT_LENGTH": str(len(posted.content)),
        "wsgi.input": io.BytesIO(posted.content),
    }


def _fields_of(environ: Environ) -> tuple[Mapping[str, str], bytes]:
    """Return the form's fields by name in lower case, and the bytes of its file. S3 ignores what follows the file."""
    body: bytes = environ["wsgi.input"].read()
    environ["wsgi.input"].seek(0)
    boundary = _BOUNDARY.search(environ["CONTENT_TYPE"])
    separator = b"\r\n--" + boundary[1].encode() if boundary else b""
    fields: dict[str, str] = {}
    for part in (b"\r\n" + body).split(separator)[1:] if separator else ():
        head, _, content = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if name is None:
            continue  # behind the last part
        if name[1].lower() == b"file":
            return fields, content
        fields[name[1].decode().lower()] = content.decode()
    raise PostRefused(400, "InvalidArgument", "POST requires exactly one file upload per request.")


def _signature(fields: Mapping[str, str]) -> str:
    """Return the signature of the policy: version 4, with the one secret key of the local stack."""
    scope = fields["x-amz-credential"].split("/")[1:]
    key = b"AWS4" + DUMMY_CREDENTIALS["aws_secret_access_key"].encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    return hmac.new(key, fields["policy"].encode(), hashlib.sha256).hexdigest()


def _policy_of(text: str) -> Mapping[str, Any]:
    try:
        policy: Mapping[str, Any] = json.loads(base64.b64decode(text, validate=True))
        return {"expiration": policy["expiration"], "conditions": policy["conditions"]}
    except (binascii.Error, ValueError, KeyError):
        message = "Invalid Policy: Invalid JSON."
        raise PostRefused(400, "InvalidPolicyDocument", message) from None


def _check(policy: Mapping[str, Any], posted: PostedFile, now: datetime) -> None:
    expires = datetime.fromisoformat(policy["expiration"]).astimezone(UTC)
    if now >= expires:
        raise PostRefused(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
    values = {**posted.fields, "bucket": posted.bucket}
    named: set[str] = set()
    for condition in policy["conditions"]:
        rule = _as_rule(condition)
        if rule[0] == "content-length-range":
            _check_size(len(posted.content), int(rule[1]), int(rule[2]))
            continue
        kind, name, wanted = rule[0], str(rule[1]).removeprefix("$").lower(), str(rule[2])
        named.add(name)
        value = values.get(name, "")
        if not (value.startswith(wanted) if kind == "starts-with" else value == wanted):
            message = f"Invalid according to Policy: Policy Condition failed: {json.dumps(rule)}"
            raise PostRefused(403, "AccessDenied", message)
    extra = sorted(posted.fields.keys() - named - _UNSIGNED - _OWN_CONDITIONS)
    extra = [name for name in extra if not name.startswith("x-ignore-")]
    if extra:
        raise PostRefused(403, "AccessDenied", f"Invalid according to Policy: Extra input fields: {', '.join(extra)}")


def _as_rule(condition: Any) -> Sequence[Any]:
    """Return a condition as a list: S3 takes `{"bucket": "b"}` for `["eq", "$bucket", "b"]`."""
    if isinstance(condition, Mapping):
        ((name, wanted),) = condition.items()
        return ["eq", f"${name}", wanted]
    rule: Sequence[Any] = condition
    return rule


def _check_size(size: int, least: int, most: int) -> None:
    if size > most:
        message = "Your proposed upload exceeds the maximum allowed size"
        raise PostRefused(400, "EntityTooLarge", message)
    if size < least:
        message = "Your proposed upload is smaller than the minimum allowed size"
        raise PostRefused(400, "EntityTooSmall", message)


def error_body(refused: PostRefused) -> bytes:
    """Return S3's XML for the refusal."""
    return (
        f"<Error><Code>{refused.code}</Code><Message>{escape(refused.message)}</Message>"
        f"<RequestId>{uuid.uuid4().hex}</RequestId></Error>"
    ).encode()
