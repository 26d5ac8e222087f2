"""Save and load the counts of the last measurement, from which the pages were written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.cost.counts import Counts, SweepCounts

MEASURED_FILE = Path(__file__).with_name("measured.json")
"""The file of the last measurement."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The counts of one measurement, by pipeline.

    `day` is an ISO date. `slower` are the counts of the same jobs with a model that takes twice as long for each token.
    """

    day: str
    first_token_ms: float
    token_ms: float
    pipelines: Mapping[str, Counts]
    slower: Mapping[str, Counts]
    sweep: SweepCounts

    @property
    def metrics(self) -> tuple[str, ...]:
        """The custom metrics of all pipelines, sorted."""
        return tuple(sorted({name for counts in self.pipelines.values() for name in counts.metrics}))

    @property
    def routes(self) -> tuple[str, ...]:
        """The routes that all pipelines call, sorted."""
        return tuple(sorted({name for counts in self.pipelines.values() for name in counts.routes}))

    def save(self, path: Path = MEASURED_FILE) -> None:
        """Write the measurement to a JSON file."""
        path.write_text(json.dumps(self.as_json(), indent=2) + "\n")

    def as_json(self) -> dict[str, Any]:
        """Return the measurement as JSON-like values."""
        return {
            "day": self.day,
            "first_token_ms": self.first_token_ms,
            "token_ms": self.token_ms,
            "pipelines": {name: counts.as_json() for name, counts in self.pipelines.items()},
            "slower": {name: counts.as_json() for name, counts in self.slower.items()},
            "sweep": self.sweep.as_json(),
        }

    @staticmethod
    def load(path: Path = MEASURED_FILE) -> Measured:
        """Return the measurement that `save` wrote."""
        document = json.loads(path.read_text())
        for name in ("pipelines", "slower"):
            document[name] = {each: Counts.from_json(counts) for each, counts in document[name].items()}
        return Measured(**{**document, "sweep": SweepCounts.from_json(document["sweep"])})
