"""Start and stop executions in AWS Step Functions."""

from __future__ import annotations

import json

from shared.erasure.erasure import Erasure
from shared.jobs.executions import ExecutionNotStarted, ExecutionState, execution_name
from shared.jobs.job import Job
from shared.observability import tracing
from shared.observability.log import log
from shared.storage.aws import stepfunctions, storage_faults


class StepFunctionsExecutions:
    """The Executions on Step Functions; the port describes the methods.

    The state machine of a pipeline is `<prefix><pipeline>`, and an execution is named by `execution_name`.
    """

    def __init__(self, state_machine_arn_prefix: str) -> None:
        self._prefix = state_machine_arn_prefix

    def arn_of(self, job: Job) -> str:
        machine = self._prefix + job.pipeline
        return machine.replace(":stateMachine:", ":execution:") + ":" + execution_name(job)

    def state_of(self, job: Job) -> ExecutionState:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - see storage/aws.py

        try:
            with storage_faults():
                found = stepfunctions().describe_execution(executionArn=job.execution_arn or self.arn_of(job))
        except ClientError as error:
            if _code(error) == "ExecutionDoesNotExist":
                return ExecutionState.UNKNOWN
            raise
        return ExecutionState.RUNNING if found["status"] in {"RUNNING", "PENDING_REDRIVE"} else ExecutionState.ENDED

    def start(self, job: Job) -> None:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see storage/aws.py

        header = tracing.header_for(job.trace_id)
        trace = {} if header is None else {"traceHeader": str(header)}
        try:
            stepfunctions().start_execution(
                stateMachineArn=self._prefix + job.pipeline,
                name=execution_name(job),
                input=json.dumps({"jobId": job.id, "generation": job.generation}),
                **trace,
            )
        except (BotoCoreError, ClientError) as error:
            if _code(error) == "ExecutionAlreadyExists":
                return
            raise ExecutionNotStarted(_code(error) or type(error).__name__) from error

    def stop(self, job: Job) -> None:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see storage/aws.py

        try:
            stepfunctions().stop_execution(
                executionArn=str(job.execution_arn), error="JobEnded", cause=f"the job is {job.status}"
            )
        except (BotoCoreError, ClientError) as error:
            # Not an error: the attempt can no longer append to the log, so the execution ends by itself.
            log.warning("execution not stopped", job_id=job.id, reason=_code(error) or type(error).__name__)


class StepFunctionsErasures:
    """The ErasureExecutions on Step Functions. An execution has the erasure's id and the number of the execution."""

    def __init__(self, state_machine_arn: str) -> None:
        self._machine = state_machine_arn

    def start(self, erasure: Erasure) -> None:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - see storage/aws.py

        try:
            with storage_faults():
                stepfunctions().start_execution(
                    stateMachineArn=self._machine,
                    name=_erasure_execution(erasure),
                    input=json.dumps({"erasureId": erasure.id}),
                )
        except ClientError as error:
            if _code(error) != "ExecutionAlreadyExists":
                raise

    def runs(self, erasure: Erasure) -> bool:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - see storage/aws.py

        executions = self._machine.replace(":stateMachine:", ":execution:")
        try:
            with storage_faults():
                found = stepfunctions().describe_execution(executionArn=f"{executions}:{_erasure_execution(erasure)}")
        except ClientError as error:
            if _code(error) == "ExecutionDoesNotExist":
                return False
            raise
        return found["status"] in {"RUNNING", "PENDING_REDRIVE"}


def _erasure_execution(erasure: Erasure) -> str:
    return f"{erasure.id}-{erasure.execution}"


def _code(error: Exception) -> str:
    response = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))
