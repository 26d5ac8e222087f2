"""GET /, /console and /stage: return the console's pages, files and configuration; without a user or reading data."""

from shared.bootstrap import console_config, console_site, stage_site
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.site import ConsoleConfig

from fastapi import Request, Response

app = create_app(Operation.CONSOLE, any_query=True)


@app.get("/console/config.json", include_in_schema=False)
async def config(exchange: CurrentExchange, response: Response) -> Envelope[ConsoleConfig]:
    """Return where to sign in, where streams are, and which models are available."""
    response.headers["Cache-Control"] = "no-cache"
    return exchange.success(console_config(), Entity.CONSOLE_CONFIG)


@app.get("/console/static/{path:path}", include_in_schema=False)
async def file(path: str, request: Request) -> Response:
    """Return a file of the page. One of them is the client `millrace.js`, which other pages may import too."""
    return console_site(__file__).file(path, request)


@app.get("/stage", include_in_schema=False)
async def stage(request: Request) -> Response:
    """Return the page that draws scenes; the console shows it in a sandboxed frame."""
    return stage_site(__file__).page(request)


@app.get("/", include_in_schema=False)
@app.get("/console", include_in_schema=False)
@app.get("/console/{path:path}", include_in_schema=False)
async def page(request: Request) -> Response:
    """Return the page for each of its addresses, so that a reload works at every one."""
    return console_site(__file__).page(request)


handler = lambda_handler(app, console_config)
