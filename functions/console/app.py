"""GET / and everything under /console: the page, its files and its configuration. Knows no user and reads no data."""

from shared.bootstrap import console_config, console_site
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.site import ConsoleConfig

from fastapi import Request, Response

app = create_app(Operation.CONSOLE)


@app.get("/console/config.json", include_in_schema=False)
async def config(exchange: CurrentExchange, response: Response) -> Envelope[ConsoleConfig]:
    """Where to sign in, and which models there are."""
    response.headers["Cache-Control"] = "no-cache"
    return exchange.success(console_config(), Entity.CONSOLE_CONFIG)


@app.get("/console/static/{path:path}", include_in_schema=False)
async def file(path: str, request: Request) -> Response:
    """A file of the page; the client `millrace.js` among them, for any other page."""
    return console_site(__file__).file(path, request)


@app.get("/", include_in_schema=False)
@app.get("/console", include_in_schema=False)
@app.get("/console/{path:path}", include_in_schema=False)
async def page(request: Request) -> Response:
    """The page, for every address it knows: they survive a reload."""
    return console_site(__file__).page(request)


handler = lambda_handler(app, console_config)
