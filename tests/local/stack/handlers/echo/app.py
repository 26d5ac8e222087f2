"""Return the event, or another kind of result if `?as=` names one."""

from __future__ import annotations

import json
import os
from typing import Any


def handler(event: dict[str, Any], _context: Any) -> Any:
    kind = (event.get("queryStringParameters") or {}).get("as")
    if kind == "crash":
        raise RuntimeError("on request")
    if kind == "short":
        return {"plain": True}
    if kind == "cookies":
        return {"statusCode": 200, "cookies": ["a=1", "b=2"], "body": "x"}
    if kind == "binary":
        return {"statusCode": 200, "isBase64Encoded": True, "body": "AAEC", "headers": {"Content-Type": "image/png"}}
    if kind == "environment":
        return {"streamUrl": os.environ["STREAM_URL"], "greeting": os.environ["GREETING"]}
    return {"statusCode": 201, "headers": {"Location": "/somewhere"}, "body": json.dumps(event)}
