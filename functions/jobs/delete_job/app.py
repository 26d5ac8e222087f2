"""DELETE /jobs/{jobId}: cancel a job if it is live, and remove everything that is stored for it."""

from shared.bootstrap import core, write_counter
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import OWNED, refusals
from shared.web.jobs import JobDeleted, JobId

app = create_app(Operation.DELETE_JOB, count_write=write_counter(Operation.DELETE_JOB))


@app.delete("/jobs/{jobId}", responses=refusals(*OWNED))
async def delete_job(job_id: JobId, user: CurrentUser, exchange: CurrentExchange) -> Envelope[JobDeleted]:
    """Delete the job permanently, and cancel it first if it is live.

    A run, session or project that it belongs to keeps what the job has stored there. A repeat within three days gets
    the same response, and completes a deletion that has failed halfway.
    """
    core().job_erasure.delete(user, job_id)
    return exchange.success(JobDeleted(job_id=job_id), Entity.JOB)


handler = lambda_handler(app, lambda: core().job_erasure)
