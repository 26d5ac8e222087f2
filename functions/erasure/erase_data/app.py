"""DELETE /me/data: begin to erase everything that is stored of the user."""

from shared.bootstrap import core, write_counter_while_erasing
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.erasures import Confirmation, ErasureDetail, detail
from shared.web.errors import AUTHENTICATED, refusals

from fastapi import Request, Response

app = create_app(Operation.ERASE_DATA, count_write=write_counter_while_erasing(Operation.ERASE_DATA))


@app.delete("/me/data", status_code=202, responses=refusals(*AUTHENTICATED))
async def erase_data(
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    response: Response,
    confirm: Confirmation,  # noqa: ARG001 - FastAPI checks it
) -> Envelope[ErasureDetail]:
    """Erase everything that is stored of you. It cannot be undone.

    Until it is completed, at least an hour later, requests that store something get 409 with `Retry-After`. A repeat
    gets the erasure that runs, and continues one that has failed.
    """
    erasure = core().erasure_service.begin(user)
    response.headers["Location"] = f"{str(request.base_url).rstrip('/')}/me/data/erasures/{erasure.id}"
    return exchange.success(detail(erasure, core().owner_data), Entity.ERASURE)


handler = lambda_handler(app, lambda: core().erasure_service)
