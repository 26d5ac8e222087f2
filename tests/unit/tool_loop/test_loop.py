"""The tool loop: turns, results, faults, limits, and attempts that take over."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest

from shared.agents.agent import AgentRef, AgentSettings
from shared.errors import AttemptSuperseded, ModelOutputTooLong, ModelUnavailable, StorageUnavailable
from shared.jobs.job import Job
from shared.jobs.store import JobGuard
from shared.llm.model import ChatModel, ToolCall
from shared.log.events import Item, Tool
from shared.tools.budget import Budget
from shared.tools.result import ToolResult
from tests.fakes.core import FakeCore
from tests.fakes.model import CallingModel
from tests.unit.tool_loop.counter_tools import CONVERSATION, Counter, CountStage


def call(name: str, identity: str = "c1", **arguments: Any) -> ToolCall:
    return ToolCall(identity, name, json.dumps(arguments))


def run(
    core: FakeCore, job: Job, model: ChatModel, counter: Counter, budget: Budget | None = None, *, retry: int = 0
) -> CountStage:
    stage = CountStage(model, counter, budget)
    core.run(stage, job, retry=retry)
    return stage


def results_sent(model: CallingModel, request: int = -1) -> list[dict[str, Any]]:
    return [json.loads(str(each.content)) for each in model.requests[request].messages if each.role == "tool"]


def test_a_call_is_run_and_its_result_goes_back_to_the_model() -> None:
    core, counter = FakeCore(), Counter()
    job = core.new_job()
    model = CallingModel(("Let me add. ", call("add", by=3)), ("It is 3.",))

    stage = run(core, job, model, counter)

    assert counter.total == 3
    assert stage.answer is not None
    assert (stage.answer.text, stage.answer.turns, stage.answer.calls, stage.answer.stopped) == ("It is 3.", 2, 1, None)
    assert results_sent(model) == [
        {
            "ok": True,
            "summary": "added 3",
            "data": {"total": 3},
            "changes": [{"kind": "number", "id": "total"}],
            "version": 3,
        }
    ]
    assert model.requests[-1].messages[2].tool_calls == (call("add", by=3),)
    assert core.transcript(job).text == "Let me add. It is 3."


def test_watchers_see_each_call_begin_and_end_and_late_ones_see_it_in_the_subtasks() -> None:
    core = FakeCore()
    job = core.new_job()
    run(core, job, CallingModel(("", call("add", by=3), call("refuse", "c2")), ("Done.",)), Counter())

    seen = [(each.key, each.title, each.status) for each in core.events(job) if isinstance(each, Tool)]
    assert seen == [
        ("turn-01-call-1", "Add 3", "started"),
        ("turn-01-call-1", "Add 3", "finished"),
        ("turn-01-call-2", "Refuse", "started"),
        ("turn-01-call-2", "Refuse", "failed"),
    ]
    folded = core.transcript(job).subtasks.values()
    assert [(each.title, each.status) for each in folded] == [("Add 3", "finished"), ("Refuse", "failed")]


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        (ToolCall("c", "fly", "{}"), "UNKNOWN_TOOL", "add, read, refuse"),
        (ToolCall("c", "add", '{"by":'), "INVALID_ARGUMENTS", "one JSON object"),
        (ToolCall("c", "add", "[]"), "INVALID_ARGUMENTS", "arguments"),
        (ToolCall("c", "add", '{"by": 99}'), "INVALID_ARGUMENTS", "by"),
        (ToolCall("c", "add", '{"by": 1, "to": 2}'), "INVALID_ARGUMENTS", "to"),
        (ToolCall("c", "add", json.dumps({"by": "x" * 20_000})), "INVALID_ARGUMENTS", "smaller"),
        (ToolCall("c", "refuse", ""), "FROZEN", "read it instead"),
        (ToolCall("c", "break_down", "{}"), "INTERNAL", "without it"),
    ],
)
def test_a_call_that_cannot_be_run_is_explained_to_the_model(wrong: ToolCall, code: str, said: str) -> None:
    core, counter = FakeCore(), Counter()
    model = CallingModel(("", wrong), ("I could not.",))

    run(core, core.new_job(), model, counter)

    [result] = results_sent(model)
    assert result["error"]["code"] == code
    assert said in json.dumps(result)
    assert "secret" not in json.dumps(result)
    assert counter.total == 0


class TestTruncatedTurn:
    """The provider stopped the turn at its output limit, so the last call may not be whole."""

    @pytest.mark.parametrize("arguments", ["", " ", '{"by": 1', '{"by": 1}, {'])
    @pytest.mark.parametrize("name", ["read", "add"])
    def test_the_loop_refuses_the_last_call_if_its_arguments_are_not_whole(self, name: str, arguments: str) -> None:
        core, counter = FakeCore(), Counter()
        cut = ToolCall("c2", name, arguments)
        model = CallingModel(("", call("add", by=2), cut), ("It is 2.",), truncated={0})

        run(core, core.new_job(), model, counter)

        first, last = results_sent(model)
        assert first["ok"]
        assert last["error"] == {
            "code": "INVALID_ARGUMENTS",
            "message": "the output limit cut this call off before its arguments were whole, so it was not run",
            "hint": "call it again with shorter arguments and less text before it",
        }
        assert counter.total == 2

    def test_the_next_attempt_refuses_it_as_well(self) -> None:
        core, counter = FakeCore(), Counter()
        job = core.new_job()

        def die() -> None:
            raise StorageUnavailable("down")

        counter.before_publish = die
        first = CallingModel(("", call("add", by=2), ToolCall("c2", "read", "")), truncated={0})
        with pytest.raises(StorageUnavailable):
            run(core, job, first, counter)
        counter.before_publish = lambda: None
        second = CallingModel(("It is 2.",))
        run(core, job, second, counter, retry=1)

        assert [each.get("error", {}).get("code") for each in results_sent(second)] == [None, "INVALID_ARGUMENTS"]

    def test_the_loop_runs_the_calls_with_whole_arguments(self) -> None:
        core, counter = FakeCore(), Counter()
        model = CallingModel(("", ToolCall("c1", "read", ""), call("add", "c2", by=2)), ("It is 2.",), truncated={0})
        run(core, core.new_job(), model, counter)
        assert [each["ok"] for each in results_sent(model)] == [True, True]
        assert counter.total == 2

    def test_the_loop_runs_a_last_call_without_arguments_if_the_turn_is_whole(self) -> None:
        core = FakeCore()
        model = CallingModel(("", ToolCall("c1", "read", "")), ("It is 0.",))
        run(core, core.new_job(), model, Counter())
        assert results_sent(model)[0]["summary"] == "it is 0"


def test_unparsable_arguments_are_sent_back_as_json() -> None:
    core = FakeCore()
    model = CallingModel(("", ToolCall("c", "add", '{"by":')), ("I could not.",))
    run(core, core.new_job(), model, Counter())
    [kept] = model.requests[-1].messages[2].tool_calls
    assert json.loads(kept.sendable_arguments) == {"unparsable": '{"by":'}


def test_an_agent_calls_only_its_allowed_tools() -> None:
    core, counter = FakeCore(), Counter()
    settings = AgentSettings(name="Reader", instructions="Only read.", allowed_tools=("read",))
    agent = core.agent_service.create("ada", settings)
    job = core.new_job(agent=AgentRef(agent_id=agent.id, version=1))
    model = CallingModel(("", call("add", by=3)), ("I may not.",))

    run(core, job, model, counter)

    [result] = results_sent(model)
    assert result["error"] == {
        "code": "NOT_ALLOWED",
        "message": "this agent may not use the tool add",
        "hint": "allowed tools: read",
    }
    assert [tool.name for tool in model.requests[0].tools] == ["read"]
    assert counter.total == 0


class TestTakingOver:
    """An attempt that dies leaves its kept turns; the next one continues behind them."""

    def test_kept_calls_are_run_without_asking_the_model_again(self) -> None:
        core, counter = FakeCore(), Counter()
        job = core.new_job()

        def die() -> None:
            raise StorageUnavailable("down")

        counter.before_publish = die
        with pytest.raises(StorageUnavailable):
            run(core, job, CallingModel(("Adding. ", call("add", by=3), call("read", "c2"))), counter)
        counter.before_publish = lambda: None
        second = CallingModel(("It is 3.",))
        run(core, job, second, counter, retry=1)

        assert counter.total == 3
        assert len(second.requests) == 1
        assert [each["summary"] for each in results_sent(second)] == ["added 3", "it is 3"]
        assert core.transcript(job).text == "Adding. It is 3."

    def test_an_effect_that_was_published_before_the_attempt_died_happens_once(self) -> None:
        core, counter = FakeCore(), Counter()
        job = core.new_job()

        def die() -> None:
            raise AttemptSuperseded("the process ended")

        counter.after_publish = die
        with pytest.raises(AttemptSuperseded):
            run(core, job, CallingModel(("", call("add", by=3))), counter)
        counter.after_publish = lambda: None
        run(core, job, CallingModel(("It is 3.",)), counter, retry=1)

        assert counter.total == 3

    def test_a_call_that_fails_because_a_superseded_attempt_has_published_it_has_that_attempts_result(self) -> None:
        """The straggler publishes after this attempt has asked, and before it gets the state of the tool."""
        core, counter = FakeCore(), Counter()
        job = core.new_job()
        made = ToolResult(ok=True, summary="made", version=1)
        counter.before_state = lambda: counter.results.update({f"{job.id}:turn-01-call-1": made})
        model = CallingModel(("", call("refuse"), call("refuse", "c2")), ("It is made.",))
        run(core, job, model, counter)
        assert [each["summary"] for each in results_sent(model)] == ["made", "the number is frozen"]

    def test_a_turn_is_kept_with_all_its_results(self) -> None:
        core = FakeCore()
        job = core.new_job()
        run(core, job, CallingModel(("", call("add", by=3), call("read", "c2")), ("Done.",)), Counter())
        kept = core.transcript(job).items
        assert list(kept) == ["turn-01", "turn-02"]
        assert len(kept["turn-01"].data["results"]) == len(kept["turn-01"].data["calls"]) == 2
        assert sum(isinstance(each, Item) for each in core.events(job)) == 3

    def test_a_kept_answer_is_not_asked_for_again(self) -> None:
        core, counter = FakeCore(), Counter()
        job = core.new_job()
        run(core, job, CallingModel(("Done.",)), counter)
        again = core.new_job()
        model = CallingModel(("Done.",), ModelUnavailable("never asked"))
        run(core, again, model, counter)
        assert len(model.requests) == 1

    def test_the_tokens_of_kept_turns_of_a_killed_attempt_are_counted_by_the_next(self) -> None:
        core, counter = FakeCore(), Counter()
        job = core.new_job()
        with pytest.raises(ModelUnavailable), patch("shared.stages.runner.store_usage", AsyncMock()):
            run(core, job, CallingModel(("", call("add", by=1)), ModelUnavailable("down")), counter)
        core.jobs.update(job.id, {"last_fault": None}, when=JobGuard())
        run(core, job, CallingModel(("It is 1.",)), counter, retry=1)
        assert core.job(job.id).usage.output_tokens == 40

    def test_the_tokens_of_kept_turns_are_counted_once(self) -> None:
        core, counter = FakeCore(), Counter()
        job = core.new_job()
        with pytest.raises(ModelUnavailable):
            run(core, job, CallingModel(("", call("add", by=1)), ModelUnavailable("down")), counter)
        run(core, job, CallingModel(("It is 1.",)), counter, retry=1)
        assert core.job(job.id).usage.output_tokens == 40


class TestFaults:
    def test_a_transient_fault_is_tried_again_in_place(self) -> None:
        core, counter = FakeCore(), Counter()
        faults = [StorageUnavailable("down"), StorageUnavailable("down")]

        def fail_twice() -> None:
            if faults:
                raise faults.pop()

        counter.before_publish = fail_twice
        model = CallingModel(("", call("add", by=3)), ("It is 3.",))
        run(core, core.new_job(), model, counter)
        assert counter.total == 3
        assert results_sent(model)[0]["ok"]

    def test_three_identical_failing_calls_are_told_to_stop_and_one_more_ends_the_loop(self) -> None:
        core = FakeCore()
        model = CallingModel(*[("", call("refuse", f"c{number}")) for number in range(4)], ("I give up.",))
        stage = run(core, core.new_job(), model, Counter())

        results = results_sent(model)
        assert "3 times" in results[2]["error"]["hint"]
        assert results[3]["error"]["code"] == "REPEATED_FAILURE"
        assert model.requests[-1].tool_choice == "none"
        assert stage.answer is not None
        assert (stage.answer.text, stage.answer.stopped) == ("I give up.", "3 identical failing calls")


class TestLimits:
    @pytest.mark.parametrize(
        ("budget", "limit"),
        [
            (Budget(turns=2), "2 turns"),
            (Budget(calls=2), "2 tool calls"),
            (Budget(tokens=60), "60 model tokens"),
        ],
    )
    def test_a_spent_budget_ends_in_one_last_answer_without_tools(self, budget: Budget, limit: str) -> None:
        core, counter = FakeCore(), Counter()
        calls = [("", call("add", f"c{number}", by=1)) for number in range(2)]
        model = CallingModel(*calls, ("I added 2; the rest is missing.",))

        stage = run(core, core.new_job(), model, counter, budget)

        assert stage.answer is not None
        assert stage.answer.stopped == limit
        assert model.requests[-1].tool_choice == "none"
        assert limit in str(model.requests[-1].messages[-1].content)
        assert counter.total == 2

    def test_calls_over_the_limit_of_a_turn_get_a_result_too(self) -> None:
        core, counter = FakeCore(), Counter()
        calls = [call("add", f"c{number}", by=1) for number in range(3)]
        model = CallingModel(("", *calls), ("Done.",))
        run(core, core.new_job(), model, counter, Budget(calls_per_turn=2))
        assert [each.get("error", {}).get("code") for each in results_sent(model)] == [None, None, "BUDGET_SPENT"]
        assert counter.total == 2

    def test_a_result_that_is_too_large_is_left_out_and_says_so(self) -> None:
        core = FakeCore()
        model = CallingModel(("", call("recite")), ("Done.",))
        run(core, core.new_job(), model, Counter())
        [result] = results_sent(model)
        assert result["truncated"]
        assert "data" not in result
        assert "ask for less" in result["warnings"][0]

    @pytest.mark.parametrize(
        "response", [("é" * 10_000,), ("", ToolCall("c", "add", json.dumps({"by": 1, "note": "x" * 56_000})))]
    )
    def test_a_turn_that_is_too_long_to_be_kept_fails_the_stage_with_its_size(self, response: Any) -> None:
        core = FakeCore()
        with pytest.raises(ModelOutputTooLong, match="longer than 56,000 bytes"):
            run(core, core.new_job(), CallingModel(response), Counter())

    def test_the_model_is_not_read_beyond_what_a_turn_may_have(self) -> None:
        core = FakeCore()
        model = CallingModel(("Done.",))
        run(core, core.new_job(), model, Counter(), Budget(turn_bytes=1_000))
        assert model.requests[0].max_chars == 1_000

    @pytest.mark.parametrize(("text", "has_data"), [("", True), ("é" * 120, False)])
    def test_a_result_gets_the_room_that_the_text_of_its_turn_leaves(self, text: str, has_data: bool) -> None:
        core = FakeCore()
        model = CallingModel((text, call("add", by=1)), ("Done.",))
        run(core, core.new_job(), model, Counter(), Budget(turn_bytes=1_000))
        [result] = results_sent(model)
        assert ("data" in result) == has_data

    def test_calls_of_a_last_answer_are_ignored(self) -> None:
        core, counter = FakeCore(), Counter()
        model = CallingModel(("", call("add", by=1)), ("Enough.", call("add", "c2", by=1)))
        stage = run(core, core.new_job(), model, counter, Budget(turns=1))
        assert counter.total == 1
        assert stage.answer is not None
        assert stage.answer.text == "Enough."


def test_the_conversation_goes_first_and_is_not_changed() -> None:
    core = FakeCore()
    model = CallingModel(("", call("read")), ("Done.",))
    run(core, core.new_job(), model, Counter())
    assert all(request.messages[:2] == CONVERSATION for request in model.requests)
