"""The stages of the ideation pipeline, with a scripted model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import pytest

from shared.apps.ideation.answer_reader import progress_of
from shared.apps.ideation.models import Ideation
from shared.apps.ideation.pipeline import PIPELINE
from shared.apps.ideation.stages import ArrangeIdeas, GenerateIdeas, PrepareIdeas
from shared.errors import (
    ErrorCode,
    InvalidModelOutput,
    JobEnded,
    MillraceError,
    ModelDisconnected,
    ModelOutputTooLong,
)
from shared.jobs.job import JobStatus
from shared.jobs.store import JobGuard
from shared.llm.model import Finished, ModelRequest, TextDelta
from shared.log.events import Progress, Reset
from tests.apps.ideation.unit.ideation_driver import TEN, IdeationDriver, draft, drafts, output_of
from tests.fakes.model import USAGE, ScriptedModel

TITLES = ["M1", "M2", "M3", "M4", "M5", "S1", "S2", "S3", "B1", "B2"]
AFTER_THREE = TEN.index(', {"title": "M4"') + 25
"""A position in the fourth idea."""


def wanted_of(request: ModelRequest) -> dict[str, int]:
    """Return the exact number of ideas that the schema requires, by list."""
    assert request.output_schema is not None
    lists = request.output_schema.schema["properties"]
    assert all(each["minItems"] == each["maxItems"] for each in lists.values())
    return {name: each["minItems"] for name, each in lists.items()}


def prompt_of(request: ModelRequest) -> str:
    return request.messages[-1].text


class PausingModel(ScriptedModel):
    """A model that writes its output, calls `meanwhile`, and then writes nothing more."""

    meanwhile: Callable[[], object]

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | Finished, None]:
        async with aclosing(super().stream(request)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Finished):
                    self.meanwhile()
                    await asyncio.sleep(60)
                yield piece


class TestPreparation:
    def test_the_stage_plans_the_ideas_by_proportion(self) -> None:
        driver = IdeationDriver(ScriptedModel(), genreProportions=[47, 16, 37])
        driver.prepare()
        assert driver.output("prepare_ideas") == {"planned": [5, 1, 4]}
        assert driver.stored().progress == 5


class TestGeneration:
    def test_one_call_asks_for_all_ideas_by_proportion(self) -> None:
        driver = IdeationDriver(ScriptedModel(TEN))
        driver.generate()
        (request,) = driver.model.requests
        assert wanted_of(request) == {"g1": 5, "g2": 3, "g3": 2}
        assert "- g1: 5 for Fiction > Mystery" in prompt_of(request)
        assert driver.stored().usage == USAGE

    def test_the_request_leaves_out_a_genre_without_ideas(self) -> None:
        driver = IdeationDriver(ScriptedModel(output_of(g2=drafts("S", 10))), genreProportions=[0, 100, 0])
        driver.generate()
        assert wanted_of(driver.model.requests[0]) == {"g2": 10}

    @pytest.mark.parametrize("text", [TEN, json.dumps(json.loads(TEN), indent=2), f"Here you are:\n```json\n{TEN}```"])
    def test_every_idea_is_a_line_of_the_text_and_an_item(self, text: str) -> None:
        driver = IdeationDriver(ScriptedModel(text))
        driver.generate()
        assert driver.lines == driver.item_titles == TITLES
        assert list(driver.core.transcript(driver.job).items) == [f"idea-{number}" for number in range(1, 11)]
        ideas = driver.output("generate_ideas")["ideas"]
        assert [idea["title"] for idea in ideas] == TITLES
        assert ideas[5] == {"number": 6, "genrePath": ["Sport"], **draft("S1")}
        assert driver.resets == []

    def test_ideas_are_numbered_in_the_order_of_the_output(self) -> None:
        driver = IdeationDriver(ScriptedModel(output_of(g3=drafts("B", 2), g1=drafts("M", 5), g2=drafts("S", 3))))
        driver.generate()
        assert driver.item_titles[:3] == ["B1", "B2", "M1"]

    def test_progress_grows_from_5_to_90_with_the_ideas_and_within_each(self) -> None:
        driver = IdeationDriver(ScriptedModel(TEN))
        driver.generate()
        seen = [event.progress for event in driver.core.events(driver.job) if isinstance(event, Progress)]
        assert all(before < after for before, after in pairwise(seen))
        assert (seen[0], seen[-1]) == (5, 90)
        assert driver.stored().progress == 90

    def test_an_incomplete_idea_never_counts_as_a_complete_one(self) -> None:
        assert progress_of(0, 0, 10) == 5
        assert progress_of(3, 300, 10) == 5 + 85 * 3.5 / 10
        assert progress_of(3, 10**6, 10) < progress_of(4, 0, 10)
        assert progress_of(10, 0, 10) == 90


class TestRetries:
    def test_a_retry_keeps_the_complete_ideas_and_asks_for_the_rest(self) -> None:
        rest = output_of(g1=drafts("N", 2), g2=drafts("S", 3), g3=drafts("B", 2))
        driver = IdeationDriver(ScriptedModel((TEN[:AFTER_THREE], ModelDisconnected("gone")), rest))
        with pytest.raises(ModelDisconnected):
            driver.generate()
        three = [json.dumps(draft(f"M{number}")) for number in (1, 2, 3)]
        assert driver.text.startswith("\n".join([*three, '{"title"']))

        driver.generate(retry=1)

        retried = driver.model.requests[1]
        assert wanted_of(retried) == {"g1": 2, "g2": 3, "g3": 2}
        assert "- g1: 2 for Fiction > Mystery" in prompt_of(retried)
        assert prompt_of(retried).endswith("do not repeat them:\n- M1\n- M2\n- M3")
        (reset,) = driver.resets
        assert (reset.reason, reset.text) == (ErrorCode.MODEL_DISCONNECTED, "\n".join([*three, ""]))
        assert driver.item_titles == driver.lines == ["M1", "M2", "M3", "N1", "N2", "S1", "S2", "S3", "B1", "B2"]
        assert [idea["number"] for idea in driver.output("generate_ideas")["ideas"]] == list(range(1, 11))

    def test_a_retry_that_finds_every_idea_makes_no_request(self) -> None:
        driver = IdeationDriver(ScriptedModel((TEN, ModelDisconnected("gone, but only after the last word"))))
        with pytest.raises(ModelDisconnected):
            driver.generate()
        driver.generate(retry=1)
        assert len(driver.model.requests) == 1
        assert driver.lines == TITLES

    def test_the_progress_of_a_retry_begins_with_the_existing_ideas(self) -> None:
        driver = IdeationDriver(ScriptedModel((TEN[:AFTER_THREE], ModelDisconnected("gone")), TEN))
        with pytest.raises(ModelDisconnected):
            driver.generate()
        driver.model = ScriptedModel(("", ModelDisconnected("gone again")))
        with pytest.raises(ModelDisconnected):
            driver.generate(retry=1)
        assert driver.core.transcript(driver.job).progress == 30.5

    def test_a_cancelled_job_keeps_its_ideas_and_ends_its_model_call(self) -> None:
        model = PausingModel(TEN[:AFTER_THREE])
        driver = IdeationDriver(model)
        model.meanwhile = lambda: driver.core.jobs.update(
            driver.job.id, {"status": JobStatus.CANCELLED}, when=JobGuard()
        )
        with pytest.raises(JobEnded):
            driver.generate()
        assert driver.item_titles == ["M1", "M2", "M3"]
        assert model.closed == 1


class TestInvalidIdeas:
    """The stage drops invalid ideas and asks for them again."""

    def generated(
        self, *outputs: str | tuple[str, MillraceError], truncated: bool = False
    ) -> IdeationDriver[ScriptedModel]:
        driver = IdeationDriver(ScriptedModel(*outputs, truncated=truncated), ideaCount=2, genreProportions=[50, 50, 0])
        driver.generate()
        return driver

    @pytest.mark.parametrize(
        ("element", "why"),
        [
            (draft("M2", logline=""), "logline: String should have at least 1 character"),
            (draft("M2", logline="x" * 401), "logline: String should have at most 400 characters"),
            (draft("M2", mood="dark"), "output: Extra inputs are not permitted"),
            ({"title": "M2"}, "logline: Field required; description: Field required"),
            (draft(" m1 "), "title: another idea has this title already"),
        ],
    )
    def test_an_invalid_idea_is_dropped_and_requested_again(self, element: dict[str, Any], why: str) -> None:
        driver = self.generated(output_of(g1=[draft("M1")], g2=[element]), output_of(g2=[draft("S1")]))
        (reset,) = driver.resets
        assert (reset.reason, reset.text) == ("REPAIR", json.dumps(draft("M1")) + "\n")
        assert reset.message == f"an idea is not valid and is dropped: {why}"
        assert reset.progress == 47.5
        assert wanted_of(driver.model.requests[1]) == {"g2": 1}
        assert driver.lines == driver.item_titles == ["M1", "S1"]

    def test_an_idea_that_is_not_json_is_dropped(self) -> None:
        driver = self.generated('{"g1": [{"title": M}], "g2": []}', output_of(g1=[draft("M1")], g2=[draft("S1")]))
        assert [reset.reason for reset in driver.resets] == ["REPAIR"]
        assert driver.lines == ["M1", "S1"]

    def test_ideas_beyond_the_plan_or_of_an_unknown_genre_are_never_shown(self) -> None:
        driver = self.generated(output_of(g1=drafts("M", 3), g7=drafts("X", 2), g3=drafts("B", 1), g2=drafts("S", 2)))
        assert driver.lines == driver.item_titles == ["M1", "S1"]
        assert driver.resets == []

    def test_elements_that_are_not_objects_are_ignored(self) -> None:
        driver = self.generated(output_of(g1=["M1", 7, [draft("M0")], draft("M1")], g2=[draft("S1")]))
        assert driver.lines == ["M1", "S1"]
        assert len(driver.model.requests) == 1

    def test_the_missing_ideas_of_a_truncated_output_are_requested(self) -> None:
        whole = output_of(g1=[draft("M1")], g2=[draft("S1")])
        driver = self.generated(whole[:-20], output_of(g2=[draft("S1")]), truncated=True)
        assert [(reset.reason, reset.text) for reset in driver.resets] == [("REPAIR", json.dumps(draft("M1")) + "\n")]
        assert wanted_of(driver.model.requests[1]) == {"g2": 1}
        assert driver.lines == ["M1", "S1"]

    def test_three_outputs_in_a_row_without_a_new_idea_fail_the_job(self) -> None:
        driver = IdeationDriver(
            ScriptedModel(output_of(g1=drafts("M", 5)), "nothing", output_of(g2=[draft("M1")]), "{}", TEN)
        )
        with pytest.raises(InvalidModelOutput, match="wrote 5 of 10 ideas, and no further valid one in 3 calls"):
            driver.generate()
        assert len(driver.model.requests) == 4
        assert driver.item_titles == ["M1", "M2", "M3", "M4", "M5"]

    def test_an_output_that_does_not_stop_behind_the_last_idea_is_enough(self) -> None:
        whole = output_of(g1=[draft("M1")], g2=[draft("S1")])
        driver = self.generated((whole[:-1], ModelOutputTooLong("no end")))
        assert driver.lines == ["M1", "S1"]

    def test_an_output_that_does_not_stop_fails_the_job_if_an_idea_is_missing(self) -> None:
        driver = IdeationDriver(ScriptedModel((output_of(g1=drafts("M", 5)), ModelOutputTooLong("no end")), TEN))
        with pytest.raises(ModelOutputTooLong):
            driver.generate()
        assert len(driver.model.requests) == 1
        assert driver.item_titles == ["M1", "M2", "M3", "M4", "M5"]

    def test_a_new_idea_resets_the_number_of_calls_without_one(self) -> None:
        without_ideas = ["no", "no"]
        driver = self.generated(
            *without_ideas, output_of(g1=[draft("M1")]), *without_ideas, output_of(g2=[draft("S1")])
        )
        assert len(driver.model.requests) == 6


RANKING = output_of(ranking=[{"number": number, "reason": f"because of {number}"} for number in (2, 3, 1)])
GROUPS = output_of(
    groups=[{"name": "Loud", "reason": "noise", "numbers": [1, 3]}, {"name": "Still", "reason": "calm", "numbers": [2]}]
)
THREE = output_of(g1=drafts("M", 2), g2=drafts("S", 1))


def arranging(arrangement: str, *outputs: Any) -> IdeationDriver[ScriptedModel]:
    return IdeationDriver(
        ScriptedModel(THREE, *outputs), ideaCount=3, genreProportions=[60, 40, 0], arrangement=arrangement
    )


class TestArrangement:
    def test_the_result_without_an_arrangement_has_the_ideas_in_their_order(self) -> None:
        driver = arranging("none")
        driver.arrange()
        result = Ideation.model_validate(driver.output("arrange_ideas"))
        assert [idea.title for idea in result.ideas] == ["M1", "M2", "S1"]
        assert [(share.planned, share.found) for share in result.genres] == [(2, 2), (1, 1), (0, 0)]
        assert (result.ranking, result.groups) == (None, None)
        assert len(driver.model.requests) == 1
        assert driver.stored().progress == 99

    def test_a_ranking_has_every_idea_in_the_order_of_the_output(self) -> None:
        driver = arranging("rank", RANKING)
        driver.arrange()
        result = Ideation.model_validate(driver.output("arrange_ideas"))
        assert result.ranking is not None
        assert [(each.number, each.reason) for each in result.ranking] == [
            (2, "because of 2"),
            (3, "because of 3"),
            (1, "because of 1"),
        ]
        assert result.groups is None
        assert driver.stored().usage == USAGE + USAGE

    def test_the_groups_contain_every_idea_once(self) -> None:
        driver = arranging("group", GROUPS)
        driver.arrange()
        result = Ideation.model_validate(driver.output("arrange_ideas"))
        assert result.groups is not None
        assert [(each.name, each.numbers) for each in result.groups] == [("Loud", (1, 3)), ("Still", (2,))]
        assert result.ranking is None

    def test_arranging_does_not_change_the_text(self) -> None:
        driver = arranging("rank", "nonsense", RANKING)
        driver.arrange()
        assert driver.lines == ["M1", "M2", "S1"]
        assert driver.resets == []

    def test_the_request_contains_the_ideas_and_its_schema_their_numbers(self) -> None:
        driver = arranging("group", GROUPS)
        driver.arrange()
        request = driver.model.requests[1]
        assert prompt_of(request).endswith(
            "1. M1 (Fiction > Mystery): M1 in a line.\n2. M2 (Fiction > Mystery): M2 in a line.\n"
            "3. S1 (Sport): S1 in a line."
        )
        assert request.output_schema is not None
        numbers = request.output_schema.schema["$defs"]["Group"]["properties"]["numbers"]
        assert numbers["items"]["enum"] == [1, 2, 3]

    @pytest.mark.parametrize(
        ("arrangement", "wrong", "why"),
        [
            ("rank", "nonsense", "output: Invalid JSON"),
            ("rank", RANKING.replace('"number": 3', '"number": 2'), "missing: 3; named more than once: 2"),
            ("rank", RANKING.replace('"number": 3', '"number": 4'), "missing: 3; unknown: 4"),
            ("rank", RANKING.replace("because of 3", " "), "ranking.1.reason: String should have at least 1 character"),
            ("group", GROUPS.replace("[2]", "[2, 3]"), "named more than once: 3"),
            ("group", GROUPS.replace("[1, 3]", "[1]"), "missing: 3"),
            ("group", GROUPS.replace("[2]", "[]"), "groups.1.numbers: Tuple should have at least 1 item"),
            (
                "group",
                output_of(groups=[{"name": "All", "reason": "r", "numbers": [1, 2, 3]}]),
                "there are 1 group instead of 2 to 3",
            ),
        ],
    )
    def test_an_invalid_arrangement_is_repaired_once(self, arrangement: str, wrong: str, why: str) -> None:
        valid = RANKING if arrangement == "rank" else GROUPS
        driver = arranging(arrangement, wrong, valid)
        driver.arrange()
        repair = driver.model.requests[2]
        assert repair.messages[-2].content == wrong
        assert why in repair.messages[-1].content
        assert repair.messages[:-2] == driver.model.requests[1].messages
        assert Ideation.model_validate(driver.output("arrange_ideas")).ideas

    def test_an_arrangement_that_is_invalid_after_its_repair_fails_the_job_and_keeps_the_ideas(self) -> None:
        driver = arranging("rank", "nonsense", "nonsense again")
        with pytest.raises(InvalidModelOutput, match="even after a repair: output: Invalid JSON"):
            driver.arrange()
        assert len(driver.model.requests) == 3
        assert driver.lines == driver.item_titles == ["M1", "M2", "S1"]

    def test_a_retry_requests_only_the_arrangement_again(self) -> None:
        driver = arranging("rank", (RANKING[:20], ModelDisconnected("gone")), RANKING)
        with pytest.raises(ModelDisconnected):
            driver.arrange()
        driver.arrange(retry=1)
        assert driver.output("arrange_ideas")["ranking"][0]["number"] == 2
        assert driver.lines == ["M1", "M2", "S1"]

    def test_progress_decreases_only_at_a_reset(self) -> None:
        driver = arranging("rank", "nonsense", RANKING)
        driver.arrange()
        highest = 0.0
        for event in driver.core.events(driver.job):
            if isinstance(event, Progress | Reset):
                assert isinstance(event, Reset) or event.progress > highest
                highest = event.progress
        assert highest == 99


def test_the_pipeline_runs_its_stages_in_order() -> None:
    assert [PIPELINE.index_of(stage.name) for stage in (PrepareIdeas, GenerateIdeas, ArrangeIdeas)] == [0, 1, 2]
    assert PIPELINE.result_model is Ideation
