"""A scene builder without a compiler: code builds unless it contains one of the words that are broken here."""

from __future__ import annotations

import hashlib
import json
import re

from shared.apps.video.build.report import BuildError, BuildReport, BuildRequest
from shared.apps.video.scene import Build

BROKEN = {
    "fps_undefined": "fps is not defined",
    "undefinedName": "undefinedName is not defined",
    "duplicate": "Headline is already declared",
}
"""Words in code that do not build, and the messages of their errors."""


class FakeSceneBuilder:
    """Implements SceneBuilder. `requests` holds what was built."""

    def __init__(self) -> None:
        self.requests: list[BuildRequest] = []

    async def build(self, request: BuildRequest) -> BuildReport:
        self.requests.append(request)
        errors = [
            BuildError(kind="runtime", rule="broken", message=message, line=number, column=line.index(word) + 1)
            for number, line in enumerate(request.tsx_code.split("\n"), 1)
            for word, message in BROKEN.items()
            if word in line
        ]
        if request.props.get("count") == "NaN":
            errors.append(BuildError(kind="runtime", rule="not-a-number", message="NaN in a style", line=1, column=1))
        images = frozenset(re.findall(r'image="(img_\w+)"', request.tsx_code))
        if errors:
            return BuildReport(None, errors)
        depends = json.dumps([request.tsx_code, dict(request.props), request.duration_in_frames])
        digest = hashlib.sha256(depends.encode()).hexdigest()
        return BuildReport(
            Build(js_code=f"/* js */ {request.tsx_code}", compiler="fake 1", runtime="1", digest=digest), images=images
        )
