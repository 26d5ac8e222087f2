"""Takes every function through every path on which it uses AWS, large artefacts, faults and repetitions included."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx

from local.aws.iam import grants_of
from local.model.control import ModelControl
from local.model.tokens import split_tokens
from local.stack import ROOT, LocalStack
from local.template.template import Template
from tests.api_user import ApiUser, data_of, refusal, wait_until
from tests.apps.ideation.requests import RUN, get_run
from tests.apps.suggestions.requests import FIELDS

ENVIRONMENT = {
    "JOB_CREATIONS_PER_MINUTE": "1000",
    # So that logs are compacted again and again.
    "LOG_MAX_BYTES": "60000",
}
IDEAS = 16
"""Their text is more than one event may have, so that a retry has to write it in several."""
MOST = 15
LONG_AGO = "2026-01-01T00:00:00Z"


def wide(characters: int) -> str:
    """Prose of three bytes a character that the scripted model sends in two tokens: ideographic spaces."""
    return "x" + "\u3000" * (characters - 2) + "x"


def suggestions_over_100_kb() -> str:
    suggestion = {"rationale": wide(3900), "description": wide(3900), "implementationConsiderations": [wide(3900)]}
    found = [{"title": f"Suggestion {number}", **suggestion} for number in range(8)]
    return json.dumps({"suggestions": found}, ensure_ascii=False)


def ideas_over_100_kb(count: int) -> str:
    """The first so many, all of the second list's after all of the first's; without the rest, but as valid JSON."""
    first, second = min(count, IDEAS // 4), max(0, count - IDEAS // 4)
    drafts = [
        {"title": f"Idea {number}", "logline": wide(390), "description": wide(3900)} for number in range(first + second)
    ]
    return json.dumps({"g1": drafts[:first], "g2": drafts[first:]}, ensure_ascii=False)


class Scenario:
    """One user on one stack, whose functions run in processes of their own: what one has fetched, none other has."""

    def __init__(self, stack: LocalStack, user: ApiUser, model: ModelControl) -> None:
        self._stack = stack
        self._user = user
        self._model = model

    def run(self) -> None:
        agent_id = self._agents()
        self._jobs_that_cannot_start()
        self._suggestions(agent_id)
        self._suggestions_that_are_stopped()
        kept = self._ideas(agent_id)
        self._ideas_that_are_stopped()
        self._ideas_that_fail()
        self._ideas_that_are_swept()
        self._a_run_whose_job_is_lost(agent_id)
        self._deletions(kept, agent_id)

    # ---- agents --------------------------------------------------------------------------------------------------

    def _agents(self) -> str:
        agent_id = self._user.new_agent()
        self._get(f"/agents/{agent_id}")
        self._get("/agents")
        data_of(self._user.api.patch(f"/agents/{agent_id}", json={"version": 1, "name": "Terser"}), 200)
        return agent_id

    # ---- creating ------------------------------------------------------------------------------------------------

    def _jobs_that_cannot_start(self) -> None:
        nobodys = {**FIELDS, "agentId": "agt_01jd8x2v5n7k3q9w4t6y8z0abc"}
        refusal(self._create("suggestion", nobodys), 422, "VALIDATION_FAILED")
        refusal(self._ideate(agentId=nobodys["agentId"]), 422, "VALIDATION_FAILED")
        with self._without_state_machines():
            refusal(self._create("suggestion", FIELDS), 503, "EXECUTION_NOT_STARTED")
            refusal(self._create("ideation", RUN), 503, "EXECUTION_NOT_STARTED")
            refusal(self._ideate(), 503, "EXECUTION_NOT_STARTED")

    def _create(self, pipeline: str, job_input: dict[str, Any]) -> Any:
        return self._user.api.post("/jobs", json={"pipeline": pipeline, "input": job_input}, headers=_once())

    def _ideate(self, **fields: Any) -> Any:
        body = {**RUN, "ideaCount": IDEAS, "genreProportions": [25, 75], **fields}
        return self._user.api.post("/ideations", json=body, headers=_once())

    # ---- suggestions ---------------------------------------------------------------------------------------------

    def _suggestions(self, agent_id: str) -> None:
        """Large, generated at the second attempt, repaired, read in every way."""
        page, answer = f"Page {uuid.uuid4().hex}", suggestions_over_100_kb()
        # Slowly enough for the log to be compacted before the end.
        self._says(page, text=answer, error_after=len(split_tokens(answer)) - 1, token_ms=5)
        self._says(page, text=f"{answer} and so on")
        self._says("does not fit the schema", text=answer, token_ms=5)
        fields = {**FIELDS, "pageOrComponent": page, "agentId": agent_id}
        job_id = data_of(self._create("suggestion", fields), 202)["jobId"]
        assert self._user.watch(job_id)[-1].type == "complete"
        ticket = data_of(self._user.api.post(f"/jobs/{job_id}/stream-tickets"), 201)["ticket"]
        watched = httpx.get(f"{self._stack.stream_url}/jobs/{job_id}/stream", params={"ticket": ticket}, timeout=30)
        assert "event: complete" in watched.text
        assert self._user.job(job_id)["result"]
        assert job_id in self._user.jobs()
        self._invoke("complete_job", jobId=job_id, generation=1, retry=1)

    def _suggestions_that_are_stopped(self) -> None:
        refused = self._user.new_job("content_filter")
        assert self._user.ended(refused)["status"] == "failed"
        waiting = self._user.new_job("hang_after=0")
        self._started(waiting)
        assert self._user.cancel(waiting).status_code == 200
        data_of(self._user.api.post(f"/jobs/{waiting}/resume"), 202)
        self._started(waiting)
        self._moved_long_ago(waiting, self._user.job(waiting)["executionArn"])
        assert waiting not in self._invoke("sweep_jobs")["ended"]
        assert self._user.cancel(waiting).status_code == 200

    # ---- ideas ---------------------------------------------------------------------------------------------------

    def _ideas(self, agent_id: str) -> str:
        """Large, generated and arranged at the second attempt each, kept."""
        wish, answer = _wish(), ideas_over_100_kb(MOST)
        self._says(wish, text=answer, error_after=len(split_tokens(answer)) - 1)
        self._says(wish, token_ms=0)
        self._says(wish, status=429)
        created = data_of(self._ideate(requirements=wish, agentId=agent_id, arrangement="rank"), 202)
        assert self._user.ended(created["jobId"], timeout=60)["status"] == "completed"
        run_id = str(created["runId"])
        assert get_run(self._user, run_id)["status"] == "completed"
        self._get(f"/ideations/{run_id}/lineage")
        assert self._user.api.get(f"/ideations/{run_id}/active-job").status_code in {200, 404}
        self._get("/ideations")
        self._model.clear()
        return run_id

    def _ideas_under_way(self) -> tuple[str, str]:
        """A run, and its job, whose model says nothing more after most of the ideas."""
        wish, answer = _wish(), ideas_over_100_kb(MOST)
        self._says(wish, text=answer, hang_after=len(split_tokens(answer)) - 1)
        created = data_of(self._ideate(requirements=wish), 202)
        job_id = str(created["jobId"])
        # The last one's end is in the token that does not come.
        wait_until(lambda: len(self._user.job(job_id)["items"]) == MOST - 1, timeout=60)
        return str(created["runId"]), job_id

    def _ideas_that_are_stopped(self) -> None:
        run_id, job_id = self._ideas_under_way()
        self._get(f"/ideations/{run_id}")
        self._get(f"/ideations/{run_id}/active-job")
        assert self._user.cancel(job_id).status_code == 200
        data_of(self._user.api.post(f"/jobs/{job_id}/resume"), 202)
        self._user.ended(job_id)

    def _ideas_that_fail(self) -> None:
        wish = _wish()
        self._says(wish, text=ideas_over_100_kb(MOST))
        self._says(wish, content_filter=True)
        created = data_of(self._ideate(requirements=wish), 202)
        assert self._user.ended(created["jobId"], timeout=60)["status"] == "failed"

    def _ideas_that_are_swept(self) -> None:
        _, job_id = self._ideas_under_way()
        arn = self._user.job(job_id)["executionArn"]
        self._moved_long_ago(job_id, f"{arn}-never-started")
        assert job_id in self._invoke("sweep_jobs")["ended"]

    def _a_run_whose_job_is_lost(self, agent_id: str) -> None:
        with self._idle_state_machines():
            created = data_of(self._ideate(agentId=agent_id), 202)
        run_id, job_id = str(created["runId"]), str(created["jobId"])
        self._invoke("prepare_ideas", jobId=job_id, generation=1, retry=1)
        self._stack.client("dynamodb").delete_item(TableName=self._jobs_table, Key=_key(job_id))
        assert get_run(self._user, run_id)["status"] == "failed"
        self._user.api.get(f"/ideations/{run_id}/active-job")

    def _deletions(self, kept: str, agent_id: str) -> None:
        live, job_id = self._ideas_under_way()
        for run_id in (kept, live):
            assert self._user.api.delete(f"/ideations/{run_id}").status_code in {200, 204}
        assert self._user.api.get(f"/jobs/{job_id}").status_code == 404
        assert self._user.api.delete(f"/agents/{agent_id}").status_code in {200, 204}

    # ---- the world around ----------------------------------------------------------------------------------------

    def _says(self, match: str, **behaviour: Any) -> None:
        """What the model does at the next request about this that no earlier rule is for."""
        self._model.script(match=match, times=1, **{"token_ms": 0, "first_token_ms": 0, **behaviour})

    def _get(self, path: str) -> Any:
        return data_of(self._user.api.get(path), 200)

    def _started(self, job_id: str) -> None:
        wait_until(lambda: self._user.job(job_id)["status"] == "in_progress")

    def _invoke(self, function: str, **payload: Any) -> Any:
        client = self._stack.client("lambda")
        answer = client.invoke(FunctionName=f"millrace-{function}", Payload=json.dumps(payload).encode())
        said = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, said
        return said

    def _moved_long_ago(self, job_id: str, execution_arn: str) -> None:
        self._stack.client("dynamodb").update_item(
            TableName=self._jobs_table,
            Key=_key(job_id),
            UpdateExpression="SET updatedAt = :then, executionArn = :arn",
            ExpressionAttributeValues={":then": {"S": LONG_AGO}, ":arn": {"S": execution_arn}},
        )

    @property
    def _jobs_table(self) -> str:
        return "millrace-JobsTable"

    @contextlib.contextmanager
    def _without_state_machines(self, definition: dict[str, Any] | None = None) -> Iterator[None]:
        """For the length of the block they are gone, or defined so."""
        states = self._stack.client("stepfunctions")
        arns = [each["stateMachineArn"] for each in states.list_state_machines()["stateMachines"]]
        machines = [states.describe_state_machine(stateMachineArn=arn) for arn in arns]
        for machine in machines:
            states.delete_state_machine(stateMachineArn=machine["stateMachineArn"])
            if definition is not None:
                states.create_state_machine(**_made_of(machine) | {"definition": json.dumps(definition)})
        yield
        for machine in machines:
            if definition is not None:
                states.delete_state_machine(stateMachineArn=machine["stateMachineArn"])
            states.create_state_machine(**_made_of(machine))

    def _idle_state_machines(self) -> contextlib.AbstractContextManager[None]:
        waiting = {"Type": "Wait", "Seconds": 600, "End": True}
        return self._without_state_machines({"StartAt": "WaitLong", "States": {"WaitLong": waiting}})


def _made_of(machine: dict[str, Any]) -> dict[str, Any]:
    return {name: machine[name] for name in ("name", "definition", "roleArn")}


def _key(job_id: str) -> dict[str, Any]:
    return {"PK": {"S": f"JOB#{job_id}"}, "SK": {"S": "JOB"}}


def _once() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


def _wish() -> str:
    return f"For {uuid.uuid4().hex}"


def run_scenario() -> dict[str, list[list[str]]]:
    """What the template's roles have used and were refused; see `LocalStack.accesses`."""
    with LocalStack("processes", environment=ENVIRONMENT) as stack, ModelControl(stack.model_url) as model:
        user = ApiUser(stack)
        try:
            Scenario(stack, user, model).run()
        finally:
            user.close()
        return stack.accesses()


def as_record(accesses: dict[str, list[list[str]]]) -> dict[str, dict[str, list[str]]]:
    """What is in docs/permissions.json: role → action → ARNs. Roles that use nothing are there, with nothing."""
    record: dict[str, dict[str, list[str]]] = {role: {} for role in sorted(grants_of(Template(ROOT / "template.yaml")))}
    for role, action, arn in sorted(accesses["used"]):
        record[role].setdefault(action, []).append(arn)
    return record
