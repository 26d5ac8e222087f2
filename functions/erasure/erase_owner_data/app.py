"""State EraseOwnerData of the erasure of an owner: erase for about a minute, and say whether everything is erased."""

from typing import Any

from shared.bootstrap import core
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return core().owner_eraser.run(str(event["erasureId"])).model_dump()
