"""A user, a stack and its model, with the operations of the permissions scenario."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from websockets.sync.client import connect
from websockets.typing import Subprotocol

from local.model.control import ModelControl
from local.stack import LocalStack
from tests.api_user import ApiUser, data_of, wait_until
from tests.patience import PATIENCE

LONG_AGO = "2026-01-01T00:00:00Z"
JOBS_TABLE = "millrace-JobsTable"


def wide(characters: int) -> str:
    """Return prose of three bytes a character that the scripted model sends in two tokens: ideographic spaces."""
    return "x" + "\u3000" * (characters - 2) + "x"


@dataclass(frozen=True, slots=True)
class World:
    """One user on one stack whose functions run in separate processes, so that they share no cached data."""

    stack: LocalStack
    user: ApiUser
    model: ModelControl

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Send a request with a new idempotency key, and return the response."""
        return self.user.api.post(path, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})

    def create(self, pipeline: str, job_input: dict[str, Any]) -> Any:
        """Ask for a job of the pipeline, and return the response."""
        return self.post("/jobs", {"pipeline": pipeline, "input": job_input})

    def says(self, match: str, **behaviour: Any) -> None:
        """Script the model's next answer to a request that contains `match` and that no earlier rule is for."""
        self.model.script(match=match, times=1, **{"token_ms": 0, "first_token_ms": 0, **behaviour})

    def get(self, path: str) -> Any:
        """Return the data of a response that has to be a success."""
        return data_of(self.user.api.get(path), 200)

    def follow(self, topic: str) -> None:
        """Follow the topic over the channel: from its beginning, and by a ping.

        A ping reads only the topics whose subscription is stored, which `subscribe` does after it has answered.
        """
        ticket = data_of(self.post("/connection-tickets", {"tab": "permissions"}), 201)
        offered = [Subprotocol(each) for each in ticket["subprotocols"]]
        with connect(ticket["channelUrl"], subprotocols=offered, open_timeout=PATIENCE) as connection:
            for message in ({"type": "subscribe", "topic": topic}, {"type": "ping", "positions": {topic: 0}}):
                connection.send(json.dumps({"id": "1", **message}))
                while json.loads(connection.recv(timeout=PATIENCE))["type"] not in {"subscribed", "pong"}:
                    pass
                self.wait_for_invocations(topic)

    def wait_for_start(self, job_id: str) -> None:
        """Wait until the job is in progress."""
        wait_until(lambda: self.user.job(job_id)["status"] == "in_progress")

    def wait_for_snapshot(self, job_id: str) -> None:
        """Wait until a snapshot of the job's log is in the bucket: the attempt stores it after the events it covers."""
        key = {**key_of(job_id), "SK": {"S": "SNAP"}}

        def is_in_the_bucket() -> bool:
            stored = self.stack.client("dynamodb").get_item(TableName=JOBS_TABLE, Key=key, ConsistentRead=True)
            return bool(stored.get("Item", {}).get("text", {"S": ""})["S"].startswith("s3:"))

        wait_until(is_in_the_bucket)

    def wait_for_invocations(self, containing: str) -> None:
        """Wait until the functions have ended that were invoked with a payload that contains this text.

        A function of the channel sends its answer before it has done all that it does.
        """
        wait_until(lambda: all(each["ended"] for each in self.stack.invocations(containing)))

    def invoke(self, function: str, **payload: Any) -> Any:
        """Invoke the function, which must not fail, and return its response."""
        client = self.stack.client("lambda")
        answer = client.invoke(FunctionName=f"millrace-{function}", Payload=json.dumps(payload).encode())
        said = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, said
        return said

    def date_back(self, job_id: str, execution_arn: str) -> None:
        """Store that the job last changed long ago and that this is its execution, for the sweep."""
        self.stack.client("dynamodb").update_item(
            TableName=JOBS_TABLE,
            Key=key_of(job_id),
            UpdateExpression="SET updatedAt = :then, executionArn = :arn",
            ExpressionAttributeValues={":then": {"S": LONG_AGO}, ":arn": {"S": execution_arn}},
        )

    def sweep_stopped(self, job_id: str) -> None:
        """Let the sweep end a job whose attempt seems to have stopped: all that it has written is from long ago.

        The attempt may still write what it has, until its model has stopped.
        """
        arn = self.user.job(job_id)["executionArn"]

        def ended() -> bool:
            self.date_back(job_id, arn)
            self._date_back_log(job_id)
            return job_id in self.invoke("sweep_jobs")["ended"]

        wait_until(ended)

    def _date_back_log(self, job_id: str) -> None:
        database = self.stack.client("dynamodb")
        items = database.query(
            TableName=JOBS_TABLE,
            KeyConditionExpression="PK = :job AND begins_with(SK, :event)",
            ExpressionAttributeValues={":job": key_of(job_id)["PK"], ":event": {"S": "EVT#"}},
            ScanIndexForward=False,
        )["Items"]
        newest = next(item for item in items if "events" in item)
        database.update_item(
            TableName=JOBS_TABLE,
            Key={"PK": newest["PK"], "SK": newest["SK"]},
            UpdateExpression="SET #at = :then",
            ExpressionAttributeNames={"#at": "at"},
            ExpressionAttributeValues={":then": {"N": "0"}},
        )

    def leave_object(self, key: str) -> None:
        """Store an object, as an attempt or a request has that ended before it could refer to the object."""
        bucket = self.stack.client("s3")
        bucket.put_object(Bucket=bucket.list_buckets()["Buckets"][0]["Name"], Key=key, Body=b"text")

    def execution_ended(self, job_id: str) -> None:
        """Send the event that the job's execution has failed, which must end the job."""
        assert self.invoke("end_lost_job", detail={"name": job_id}) == {"ended": job_id}

    @contextlib.contextmanager
    def without_state_machines(self, definition: dict[str, Any] | None = None) -> Iterator[None]:
        """Delete the state machines for the length of the block, or replace their definitions."""
        states = self.stack.client("stepfunctions")
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

    def idle_state_machines(self) -> contextlib.AbstractContextManager[None]:
        """Replace the state machines, for the length of the block, by one that only waits."""
        waiting = {"Type": "Wait", "Seconds": 600, "End": True}
        return self.without_state_machines({"StartAt": "WaitLong", "States": {"WaitLong": waiting}})


def _made_of(machine: dict[str, Any]) -> dict[str, Any]:
    return {name: machine[name] for name in ("name", "definition", "roleArn")}


def key_of(job_id: str) -> dict[str, Any]:
    return {"PK": {"S": f"JOB#{job_id}"}, "SK": {"S": "JOB"}}
