"""Keep the findings of a job in its event log: each once, under the origin of the call that added it."""

from __future__ import annotations

from shared.apps.research.library import Library
from shared.apps.research.models import FindingNoted, ResearchFinding
from shared.apps.research.tools import Desk, noted
from shared.stages.stage import StageContext
from shared.tools.result import ToolResult
from shared.tools.tool import Outcome

PREFIX = "finding-"


def progress_of(findings: int) -> float:
    """Return the progress in percent with this many findings: 75, 80 …, at most 95. All parts are read at 67."""
    return min(95.0, 70.0 + 5.0 * findings)


class Findings:
    """The workspace of the tool loop. Each finding is an item of the stage, so it survives every retry and resumption.

    The item and its event are one write. So an attempt that takes over finds both or neither.
    """

    def __init__(self, context: StageContext, library: Library) -> None:
        self._context = context
        self._library = library

    @property
    def all(self) -> tuple[ResearchFinding, ...]:
        """Return the findings so far, in the order in which they were noted."""
        items = self._context.items.items()
        return tuple(ResearchFinding.model_validate(data) for key, data in items if key.startswith(PREFIX))

    async def state(self) -> Desk:
        return Desk(self._library, self.all)

    async def published(self, origin: str) -> ToolResult | None:
        data = self._context.items.get(_key_of(origin))
        return None if data is None else noted(ResearchFinding.model_validate(data))

    async def publish(self, origin: str, outcome: Outcome[ResearchFinding]) -> ToolResult:
        (finding,) = outcome.effects
        self._context.output.report_progress(progress_of(finding.number))
        data = finding.model_dump(mode="json")
        await self._context.add_item(_key_of(origin), data, event=FindingNoted(finding=finding))
        return outcome.result


def _key_of(origin: str) -> str:
    """Return the item's key: the origin is the job's id, a colon, and the call's place in the job."""
    return PREFIX + origin.partition(":")[2]
