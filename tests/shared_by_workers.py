"""What the workers of a run of tests share: each of them would start it for itself, in seconds of CPU time."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.byte_code import compile_all
from tests.dynamodb_local.engine import EngineOfRun
from tests.stack_forks import ForksOfRun


class SharedByWorkers:
    """Everything shared, in the process that starts the workers. Close it at the end of the run.

    `tests` are the arguments of pytest. `workerinput` is what each worker gets to find what is shared.
    """

    def __init__(self, tests: Sequence[str]) -> None:
        compile_all(tests)
        self._closing = ExitStack()
        folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="shared-by-workers-")))
        self._closing.callback(EngineOfRun(folder).close)
        forks = folder / "forks"
        self._closing.callback(ForksOfRun(forks).close)
        self.workerinput = {"dynamodb_local": str(folder), "stack_forks": str(forks)}

    def close(self) -> None:
        """End the processes."""
        self._closing.close()
