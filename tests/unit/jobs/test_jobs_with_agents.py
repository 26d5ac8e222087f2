"""Jobs with an agent: their model, their version of the agent, and their resumption."""

from __future__ import annotations

from typing import Any

import pytest

from shared.agents.agent import Agent, AgentRef, AgentSettings
from shared.agents.service import KEPT_SECONDS, AgentService
from shared.errors import CheckpointUnfit, InternalFault, InvalidInput
from shared.jobs.job import Job, JobStatus
from shared.stages.stage import StageContext
from tests.fakes.core import FakeCore, PoemInput, ScriptedStage, a_request


def new_agent(core: FakeCore, owner: str = "ada", **fields: Any) -> Agent:
    return core.agent_service.create(owner, AgentSettings(name="Terse", instructions="One line.", **fields))


def new_job(core: FakeCore, agent: Agent, **fields: Any) -> Job:
    return core.job_creation.create("ada", a_request(input=PoemInput(agent_id=agent.id, **fields)))


class RecordAgents:
    """A stage script that records the agents it runs with."""

    def __init__(self) -> None:
        self.seen: list[Agent | None] = []

    async def __call__(self, context: StageContext) -> dict[str, Any]:
        self.seen.append(context.agent)
        return {}


class TestCreation:
    def test_a_job_stores_the_version_of_its_agent_but_not_the_instructions(self) -> None:
        core = FakeCore()
        agent = new_agent(core)
        core.agent_service.update("ada", agent.id, {"name": "Chatty"})
        job = new_job(core, agent)
        assert job.agent == AgentRef(agent_id=agent.id, version=2)
        assert core.job(job.id) == job
        assert "One line." not in job.model_dump_json()

    def test_a_job_without_an_agent_has_none(self) -> None:
        assert FakeCore().job_creation.create("ada", a_request()).agent is None

    @pytest.mark.parametrize(
        ("custom", "agents", "model"),
        [
            (None, None, "scripted-1"),
            (None, "scripted-2", "scripted-2"),
            ("scripted-1", "scripted-2", "scripted-1"),
            ("scripted-2", None, "scripted-2"),
        ],
    )
    def test_the_model_is_the_jobs_or_else_the_agents_or_else_the_default(
        self, custom: str | None, agents: str | None, model: str
    ) -> None:
        core = FakeCore()
        assert new_job(core, new_agent(core, model=agents), custom_model=custom).model == model

    def test_unknown_deleted_and_other_owners_agents_are_refused_with_the_same_message(self) -> None:
        core = FakeCore()
        deleted = new_agent(core)
        core.agent_service.delete("ada", deleted.id)
        unknown = deleted.model_copy(update={"id": "agt_01jd8x2v5n7k3q9w4t6y8z0abc"})
        refusals = []
        for agent in (deleted, unknown, new_agent(core, owner="bob")):
            with pytest.raises(InvalidInput) as refusal:
                new_job(core, agent)
            refusals.append(refusal.value.issues)
        assert refusals[0][0].field == "agentId"
        assert len(set(refusals)) == 1
        assert core.executions.started == set()

    def test_an_agent_whose_model_is_no_longer_available_needs_a_job_with_its_own_model(self) -> None:
        core = FakeCore()
        gone = AgentService(agents=core.agent_store, allowed_models=("scripted-0",), clock=core.clock)
        agent = gone.create("ada", AgentSettings(name="Old", instructions="One line.", model="scripted-0"))
        with pytest.raises(InvalidInput) as refusal:
            new_job(core, agent)
        (issue,) = refusal.value.issues
        assert issue.field == "agentId"
        assert "model scripted-0, which is not available; available models: scripted-1, scripted-2" in issue.rule
        assert new_job(core, agent, custom_model="scripted-1").agent == agent.ref

    def test_a_repeat_returns_the_first_job_after_its_agent_was_deleted(self) -> None:
        core = FakeCore()
        agent = new_agent(core)
        request = a_request(input=PoemInput(agent_id=agent.id))
        first = core.job_creation.create("ada", request, idempotency_key="key")
        core.agent_service.delete("ada", agent.id)
        assert core.job_creation.create("ada", request, idempotency_key="key") == first
        for _ in range(2):
            with pytest.raises(InvalidInput):
                core.job_creation.create("ada", request, idempotency_key="another")


class TestRunning:
    def test_a_stage_uses_the_version_of_the_agent_that_the_job_was_created_with(self) -> None:
        core = FakeCore()
        agent = new_agent(core)
        job = new_job(core, agent)
        core.agent_service.update("ada", agent.id, {"instructions": "Two lines."})
        recorded = RecordAgents()
        core.run(ScriptedStage("draft", recorded), job)
        core.agent_service.delete("ada", agent.id)
        core.run(ScriptedStage("polish", recorded), job)
        assert [(each.version, each.instructions) for each in recorded.seen if each] == [(1, "One line.")] * 2

    def test_a_job_without_an_agent_runs_without_one(self) -> None:
        core = FakeCore()
        recorded = RecordAgents()
        core.run(ScriptedStage("draft", recorded), core.job_creation.create("ada", a_request()))
        assert recorded.seen == [None]

    def test_a_job_whose_agent_no_longer_exists_fails(self) -> None:
        core = FakeCore()
        job = core.new_job(agent=AgentRef(agent_id="agt_01jd8x2v5n7k3q9w4t6y8z0abc", version=1))
        with pytest.raises(InternalFault):
            core.run(ScriptedStage("draft", RecordAgents()), job)
        fault = core.job(job.id).last_fault
        assert fault is not None
        assert fault.message == "the job's agent no longer exists"


class TestResumption:
    def test_a_resumed_job_uses_its_version_of_a_deleted_agent(self) -> None:
        core = FakeCore()
        agent = new_agent(core)
        job = new_job(core, agent)
        core.job_cancellation.cancel("ada", job.id)
        core.agent_service.delete("ada", agent.id)
        resumed = core.job_resumption.resume("ada", job.id)
        recorded = RecordAgents()
        core.run(ScriptedStage("draft", recorded), resumed, generation=2)
        assert [each.version for each in recorded.seen if each] == [1]

    def test_a_job_whose_agent_no_longer_exists_cannot_be_resumed(self) -> None:
        core = FakeCore()
        agent = new_agent(core)
        job = core.new_job(status=JobStatus.CANCELLED, agent=agent.ref, expires_at=2**33)
        core.agent_service.delete("ada", agent.id)
        core.clock.advance(KEPT_SECONDS)
        with pytest.raises(CheckpointUnfit, match=f"version 1 of agent {agent.id} is no longer stored"):
            core.job_resumption.resume("ada", job.id)

    def test_a_job_is_not_resumed_if_its_version_could_expire_while_it_runs(self) -> None:
        core = FakeCore()
        agent = new_agent(core)
        core.agent_service.update("ada", agent.id, {"name": "Chatty"})
        job = core.new_job(status=JobStatus.CANCELLED, agent=agent.ref, expires_at=2**33)
        core.clock.advance(KEPT_SECONDS - 60)
        with pytest.raises(CheckpointUnfit, match="no longer stored"):
            core.job_resumption.resume("ada", job.id)
