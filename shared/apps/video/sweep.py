"""The sweep of deleted projects: remove what a request has stored that began before the deletion and ended after it."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.apps.video.project_store import ProjectStore
from shared.apps.video.rendering.render_store import RenderFiles
from shared.clock import Clock
from shared.observability.log import log
from shared.schema import Schema

SWEEP_SECONDS = 40.0
"""Time limit of one sweep, well below the timeout of its function. The next sweep looks at what is left."""


class ProjectSweepReport(Schema):
    """The result of one sweep: how many deleted projects it has purged.

    `finished` is false if some are left, which the next sweep purges.
    """

    purged: int = 0
    finished: bool = True


class ProjectSweep:
    """Purge the projects whose deletion is long enough ago. Safe at any time, also for two sweeps at once."""

    def __init__(self, *, projects: ProjectStore, files: RenderFiles, clock: Clock) -> None:
        self._projects = projects
        self._files = files
        self._clock = clock

    def run(self) -> ProjectSweepReport:
        """Purge all projects that are due, for at most SWEEP_SECONDS.

        If one fails, purge the others first, and then raise its error. The next sweep tries again.
        """
        begin = self._clock()
        purged, failures = 0, dict[str, Exception]()
        while left := [each for each in self._projects.deleted(begin) if each not in failures]:
            for project_id in left:
                if self._is_over(begin):
                    return self._reported(purged, failures, finished=False)
                try:
                    self._files.discard_videos(project_id)  # first: a purged project is looked at no more
                    self._projects.purge(project_id)
                except Exception as error:  # noqa: BLE001 - raised at the end of the sweep
                    log.defect("deleted project not purged", error, project_id=project_id)
                    failures[project_id] = error
                else:
                    purged += 1
        return self._reported(purged, failures, finished=True)

    def _is_over(self, begin: datetime) -> bool:
        return self._clock() >= begin + timedelta(seconds=SWEEP_SECONDS)

    def _reported(self, purged: int, failures: dict[str, Exception], *, finished: bool) -> ProjectSweepReport:
        report = ProjectSweepReport(purged=purged, finished=finished)
        log.info("projects swept", **report.model_dump())
        if failures:
            raise next(iter(failures.values()))
        return report
