"""The ports on AWS with the pipelines of the tests, for the functions of the stack and for the test's own process."""

from __future__ import annotations

from functools import cached_property

from shared.apps.registry import RegisteredPipelines
from shared.bootstrap import AwsPorts
from shared.jobs.pipeline import Pipeline
from tests.fakes.core import PIPELINES


class PipelinesOfTests(RegisteredPipelines):
    """The registry, with the pipelines of the tests besides those of the applications."""

    def __getitem__(self, name: str) -> Pipeline:
        return PIPELINES[name] if name in PIPELINES else super().__getitem__(name)


class Ports(AwsPorts):
    """The ports on AWS, with the pipelines of the tests."""

    @cached_property
    def pipelines(self) -> PipelinesOfTests:
        return PipelinesOfTests()
