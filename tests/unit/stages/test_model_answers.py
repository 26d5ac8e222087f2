"""The request that a stage sends to a model, with and without an agent."""

from __future__ import annotations

from typing import Any

from shared.agents.agent import AgentSettings
from shared.jobs.job import Job
from shared.llm.model import Message, ModelRequest, OutputSchema
from shared.stages.model_answers import model_request
from shared.stages.stage import StageContext
from tests.fakes.core import FakeCore, PoemInput, ScriptedStage, a_request

MESSAGES = (
    Message("system", "Answer with JSON: {}."),
    Message("user", "A poem"),
    Message("assistant", "No"),
    Message("user", "Yes"),
)
SCHEMA = OutputSchema("poem", {"type": "object"})


def request_of(core: FakeCore, job: Job) -> ModelRequest:
    """Return the model request that a stage of the job makes from MESSAGES."""
    requests: list[ModelRequest] = []

    async def script(context: StageContext) -> dict[str, Any]:
        requests.append(model_request(context, MESSAGES, SCHEMA, resume_from="cursor"))
        return {}

    core.run(ScriptedStage("draft", script), job)
    return requests[0]


def job_with_agent(core: FakeCore, **settings: Any) -> Job:
    agent = core.agent_service.create("ada", AgentSettings(name="Terse", **{"instructions": "One line.", **settings}))
    return core.job_creation.create("ada", a_request(input=PoemInput(agent_id=agent.id)))


def test_a_request_without_an_agent_has_the_pipelines_model_and_messages() -> None:
    core = FakeCore()
    request = request_of(core, core.job_creation.create("ada", a_request()))
    assert request == ModelRequest("scripted-1", MESSAGES, SCHEMA, resume_from="cursor")


def test_the_pipelines_system_message_contains_the_agents_instructions() -> None:
    core = FakeCore()
    instructions = "Say {nothing} but\n%s of rivers."
    system, *others = request_of(core, job_with_agent(core, instructions=instructions)).messages
    assert tuple(others) == MESSAGES[1:]
    assert system.role == "system"
    before, begin, rest = system.text.partition("\n----- begin of the owner's instructions -----\n")
    inside, end, after = rest.partition("\n----- end of the owner's instructions -----\n")
    assert begin
    assert end
    assert before.startswith(MESSAGES[0].text)
    assert inside == instructions
    assert "format of the answer stays" in after


def test_the_request_uses_the_agents_settings() -> None:
    core = FakeCore()
    request = request_of(core, job_with_agent(core, model="scripted-2", temperature=0.0, max_output_tokens=70))
    assert (request.model, request.temperature, request.max_output_tokens) == ("scripted-2", 0.0, 70)
    assert (request.output_schema, request.resume_from) == (SCHEMA, "cursor")


def test_the_request_leaves_out_settings_that_the_agent_does_not_have() -> None:
    core = FakeCore()
    request = request_of(core, job_with_agent(core))
    assert (request.model, request.temperature, request.max_output_tokens) == ("scripted-1", None, None)
