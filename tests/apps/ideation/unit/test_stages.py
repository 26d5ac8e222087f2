"""The stages of the ideation pipeline, over a model that says what it is told to."""

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
from shared.errors import ErrorCode, InvalidModelOutput, JobEnded, ModelDisconnected
from shared.jobs.job import JobStatus
from shared.jobs.store import JobGuard
from shared.llm.model import Finished, ModelRequest, TextDelta
from shared.log.events import Progress, Reset
from tests.apps.ideation.unit.ideation_driver import TEN, Desk, answer, draft, drafts
from tests.fakes.model import USAGE, ScriptedModel

TITLES = ["M1", "M2", "M3", "M4", "M5", "S1", "S2", "S3", "B1", "B2"]
AFTER_THREE = TEN.index(', {"title": "M4"') + 25
"""Somewhere in the fourth idea."""


def wanted_of(request: ModelRequest) -> dict[str, int]:
    """How many ideas the schema asks for, by list; no more and no fewer are allowed."""
    assert request.output_schema is not None
    lists = request.output_schema.schema["properties"]
    assert all(each["minItems"] == each["maxItems"] for each in lists.values())
    return {name: each["minItems"] for name, each in lists.items()}


def prompt_of(request: ModelRequest) -> str:
    return request.messages[-1].content


class PausingModel(ScriptedModel):
    """Says its answer, and then nothing more: `meanwhile` happens."""

    meanwhile: Callable[[], object]

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | Finished, None]:
        async with aclosing(super().stream(request)) as answer:
            async for piece in answer:
                if isinstance(piece, Finished):
                    self.meanwhile()
                    await asyncio.sleep(60)
                yield piece


class TestPreparing:
    def test_the_ideas_are_shared_out_by_proportion(self) -> None:
        desk = Desk(ScriptedModel(), genreProportions=[47, 16, 37])
        desk.prepare()
        assert desk.output("prepare_ideas") == {"planned": [5, 1, 4]}
        assert desk.stored().progress == 5


class TestGenerating:
    def test_one_call_asks_for_all_ideas_by_proportion(self) -> None:
        desk = Desk(ScriptedModel(TEN))
        desk.generate()
        (request,) = desk.model.requests
        assert wanted_of(request) == {"g1": 5, "g2": 3, "g3": 2}
        assert "- g1: 5 for Fiction > Mystery" in prompt_of(request)
        assert desk.stored().usage == USAGE

    def test_a_genre_without_ideas_is_not_asked_about(self) -> None:
        desk = Desk(ScriptedModel(answer(g2=drafts("S", 10))), genreProportions=[0, 100, 0])
        desk.generate()
        assert wanted_of(desk.model.requests[0]) == {"g2": 10}

    @pytest.mark.parametrize("text", [TEN, json.dumps(json.loads(TEN), indent=2), f"Here you are:\n```json\n{TEN}```"])
    def test_every_idea_is_a_line_of_the_stream_and_an_item_of_the_job(self, text: str) -> None:
        desk = Desk(ScriptedModel(text))
        desk.generate()
        assert desk.lines == desk.kept == TITLES
        assert list(desk.core.transcript(desk.job).items) == [f"idea-{number}" for number in range(1, 11)]
        ideas = desk.output("generate_ideas")["ideas"]
        assert [idea["title"] for idea in ideas] == TITLES
        assert ideas[5] == {"number": 6, "genrePath": ["Sport"], **draft("S1")}
        assert desk.resets == []

    def test_ideas_are_numbered_as_they_come_not_by_genre(self) -> None:
        desk = Desk(ScriptedModel(answer(g3=drafts("B", 2), g1=drafts("M", 5), g2=drafts("S", 3))))
        desk.generate()
        assert desk.kept[:3] == ["B1", "B2", "M1"]

    def test_progress_grows_from_5_to_90_with_the_ideas_and_within_each(self) -> None:
        desk = Desk(ScriptedModel(TEN))
        desk.generate()
        seen = [event.progress for event in desk.core.events(desk.job) if isinstance(event, Progress)]
        assert all(before < after for before, after in pairwise(seen))
        assert (seen[0], seen[-1]) == (5, 90)
        assert desk.stored().progress == 90

    def test_an_idea_that_grows_and_grows_never_counts_as_a_whole_one(self) -> None:
        assert progress_of(0, 0, 10) == 5
        assert progress_of(3, 300, 10) == 5 + 85 * 3.5 / 10
        assert progress_of(3, 10**6, 10) < progress_of(4, 0, 10)
        assert progress_of(10, 0, 10) == 90


class TestRetrying:
    def test_the_retry_keeps_what_is_there_and_asks_for_the_rest(self) -> None:
        rest = answer(g1=drafts("N", 2), g2=drafts("S", 3), g3=drafts("B", 2))
        desk = Desk(ScriptedModel((TEN[:AFTER_THREE], ModelDisconnected("gone")), rest))
        with pytest.raises(ModelDisconnected):
            desk.generate()
        three = [json.dumps(draft(f"M{number}")) for number in (1, 2, 3)]
        assert desk.text.startswith("\n".join([*three, '{"title"']))

        desk.generate(retry=1)

        retried = desk.model.requests[1]
        assert wanted_of(retried) == {"g1": 2, "g2": 3, "g3": 2}
        assert "- g1: 2 for Fiction > Mystery" in prompt_of(retried)
        assert prompt_of(retried).endswith("do not repeat them:\n- M1\n- M2\n- M3")
        (reset,) = desk.resets
        assert (reset.reason, reset.text) == (ErrorCode.MODEL_DISCONNECTED, "\n".join([*three, ""]))
        assert desk.kept == desk.lines == ["M1", "M2", "M3", "N1", "N2", "S1", "S2", "S3", "B1", "B2"]
        assert [idea["number"] for idea in desk.output("generate_ideas")["ideas"]] == list(range(1, 11))

    def test_a_retry_that_finds_every_idea_asks_for_nothing(self) -> None:
        desk = Desk(ScriptedModel((TEN, ModelDisconnected("gone, but only after the last word"))))
        with pytest.raises(ModelDisconnected):
            desk.generate()
        desk.generate(retry=1)
        assert len(desk.model.requests) == 1
        assert desk.lines == TITLES

    def test_progress_of_a_retry_begins_with_the_ideas_there_are(self) -> None:
        desk = Desk(ScriptedModel((TEN[:AFTER_THREE], ModelDisconnected("gone")), TEN))
        with pytest.raises(ModelDisconnected):
            desk.generate()
        desk.model = ScriptedModel(("", ModelDisconnected("gone again")))
        with pytest.raises(ModelDisconnected):
            desk.generate(retry=1)
        assert desk.core.transcript(desk.job).progress == 30.5

    def test_a_job_that_is_cancelled_meanwhile_keeps_its_ideas_and_ends_its_model_call(self) -> None:
        model = PausingModel(TEN[:AFTER_THREE])
        desk = Desk(model)
        model.meanwhile = lambda: desk.core.jobs.update(desk.job.id, {"status": JobStatus.CANCELLED}, when=JobGuard())
        with pytest.raises(JobEnded):
            desk.generate()
        assert desk.kept == ["M1", "M2", "M3"]
        assert model.closed == 1


class TestLeavingOut:
    """What does not fit is taken out, and asked for again."""

    def generated(self, *answers: str, truncated: bool = False) -> Desk[ScriptedModel]:
        desk = Desk(ScriptedModel(*answers, truncated=truncated), ideaCount=2, genreProportions=[50, 50, 0])
        desk.generate()
        return desk

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
    def test_an_idea_that_does_not_fit_is_taken_out_and_asked_for_again(
        self, element: dict[str, Any], why: str
    ) -> None:
        desk = self.generated(answer(g1=[draft("M1")], g2=[element]), answer(g2=[draft("S1")]))
        (reset,) = desk.resets
        assert (reset.reason, reset.text) == ("REPAIR", json.dumps(draft("M1")) + "\n")
        assert reset.message == f"an idea is not valid and is dropped: {why}"
        assert reset.progress == 47.5
        assert wanted_of(desk.model.requests[1]) == {"g2": 1}
        assert desk.lines == desk.kept == ["M1", "S1"]

    def test_an_idea_that_is_no_json_is_taken_out(self) -> None:
        desk = self.generated('{"g1": [{"title": M}], "g2": []}', answer(g1=[draft("M1")], g2=[draft("S1")]))
        assert [reset.reason for reset in desk.resets] == ["REPAIR"]
        assert desk.lines == ["M1", "S1"]

    def test_ideas_beyond_the_plan_and_of_no_genre_are_never_shown(self) -> None:
        desk = self.generated(answer(g1=drafts("M", 3), g7=drafts("X", 2), g3=drafts("B", 1), g2=drafts("S", 2)))
        assert desk.lines == desk.kept == ["M1", "S1"]
        assert desk.resets == []

    def test_elements_that_are_no_objects_are_passed_over(self) -> None:
        desk = self.generated(answer(g1=["M1", 7, [draft("M0")], draft("M1")], g2=[draft("S1")]))
        assert desk.lines == ["M1", "S1"]
        assert len(desk.model.requests) == 1

    def test_a_truncated_answer_is_one_with_ideas_missing(self) -> None:
        whole = answer(g1=[draft("M1")], g2=[draft("S1")])
        desk = self.generated(whole[:-20], answer(g2=[draft("S1")]), truncated=True)
        assert [(reset.reason, reset.text) for reset in desk.resets] == [("REPAIR", json.dumps(draft("M1")) + "\n")]
        assert wanted_of(desk.model.requests[1]) == {"g2": 1}
        assert desk.lines == ["M1", "S1"]

    def test_three_answers_in_a_row_without_a_new_idea_fail_the_job(self) -> None:
        desk = Desk(ScriptedModel(answer(g1=drafts("M", 5)), "nothing", answer(g2=[draft("M1")]), "{}", TEN))
        with pytest.raises(InvalidModelOutput, match="wrote 5 of 10 ideas, and no further valid one in 3 calls"):
            desk.generate()
        assert len(desk.model.requests) == 4
        assert desk.kept == ["M1", "M2", "M3", "M4", "M5"]

    def test_an_answer_with_a_new_idea_gives_the_model_further_chances(self) -> None:
        barren = ["no", "no"]
        desk = self.generated(*barren, answer(g1=[draft("M1")]), *barren, answer(g2=[draft("S1")]))
        assert len(desk.model.requests) == 6


RANKING = answer(ranking=[{"number": number, "reason": f"because of {number}"} for number in (2, 3, 1)])
GROUPS = answer(
    groups=[{"name": "Loud", "reason": "noise", "numbers": [1, 3]}, {"name": "Still", "reason": "calm", "numbers": [2]}]
)
THREE = answer(g1=drafts("M", 2), g2=drafts("S", 1))


def arranging(arrangement: str, *answers: Any) -> Desk[ScriptedModel]:
    return Desk(ScriptedModel(THREE, *answers), ideaCount=3, genreProportions=[60, 40, 0], arrangement=arrangement)


class TestArranging:
    def test_ideas_that_are_not_to_be_arranged_are_the_result_as_they_are(self) -> None:
        desk = arranging("none")
        desk.arrange()
        result = Ideation.model_validate(desk.output("arrange_ideas"))
        assert [idea.title for idea in result.ideas] == ["M1", "M2", "S1"]
        assert [(share.planned, share.found) for share in result.genres] == [(2, 2), (1, 1), (0, 0)]
        assert (result.ranking, result.groups) == (None, None)
        assert len(desk.model.requests) == 1
        assert desk.stored().progress == 99

    def test_a_ranking_names_every_idea_best_first(self) -> None:
        desk = arranging("rank", RANKING)
        desk.arrange()
        result = Ideation.model_validate(desk.output("arrange_ideas"))
        assert result.ranking is not None
        assert [(each.number, each.reason) for each in result.ranking] == [
            (2, "because of 2"),
            (3, "because of 3"),
            (1, "because of 1"),
        ]
        assert result.groups is None
        assert desk.stored().usage == USAGE + USAGE

    def test_groups_hold_every_idea_once(self) -> None:
        desk = arranging("group", GROUPS)
        desk.arrange()
        result = Ideation.model_validate(desk.output("arrange_ideas"))
        assert result.groups is not None
        assert [(each.name, each.numbers) for each in result.groups] == [("Loud", (1, 3)), ("Still", (2,))]
        assert result.ranking is None

    def test_the_ideas_text_stays_as_it_is(self) -> None:
        desk = arranging("rank", "nonsense", RANKING)
        desk.arrange()
        assert desk.lines == ["M1", "M2", "S1"]
        assert desk.resets == []

    def test_the_model_is_told_the_ideas_and_held_to_their_numbers(self) -> None:
        desk = arranging("group", GROUPS)
        desk.arrange()
        request = desk.model.requests[1]
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
                answer(groups=[{"name": "All", "reason": "r", "numbers": [1, 2, 3]}]),
                "there are 1 group instead of 2 to 3",
            ),
        ],
    )
    def test_an_arrangement_that_does_not_fit_is_repaired_once(self, arrangement: str, wrong: str, why: str) -> None:
        good = RANKING if arrangement == "rank" else GROUPS
        desk = arranging(arrangement, wrong, good)
        desk.arrange()
        repair = desk.model.requests[2]
        assert repair.messages[-2].content == wrong
        assert why in repair.messages[-1].content
        assert repair.messages[:-2] == desk.model.requests[1].messages
        assert Ideation.model_validate(desk.output("arrange_ideas")).ideas

    def test_an_arrangement_that_does_not_fit_after_repair_fails_the_job_and_the_ideas_stay(self) -> None:
        desk = arranging("rank", "nonsense", "nonsense again")
        with pytest.raises(InvalidModelOutput, match="even after a repair: output: Invalid JSON"):
            desk.arrange()
        assert len(desk.model.requests) == 3
        assert desk.lines == desk.kept == ["M1", "M2", "S1"]

    def test_a_retry_asks_again_for_the_arrangement_only(self) -> None:
        desk = arranging("rank", (RANKING[:20], ModelDisconnected("gone")), RANKING)
        with pytest.raises(ModelDisconnected):
            desk.arrange()
        desk.arrange(retry=1)
        assert desk.output("arrange_ideas")["ranking"][0]["number"] == 2
        assert desk.lines == ["M1", "M2", "S1"]

    def test_progress_never_falls_but_by_a_reset(self) -> None:
        desk = arranging("rank", "nonsense", RANKING)
        desk.arrange()
        highest = 0.0
        for event in desk.core.events(desk.job):
            if isinstance(event, Progress | Reset):
                assert isinstance(event, Reset) or event.progress > highest
                highest = event.progress
        assert highest == 99


def test_the_pipeline_runs_its_stages_in_order() -> None:
    assert [PIPELINE.index_of(stage.name) for stage in (PrepareIdeas, GenerateIdeas, ArrangeIdeas)] == [0, 1, 2]
    assert PIPELINE.result_model is Ideation
