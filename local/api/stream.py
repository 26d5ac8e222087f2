"""The process of the streaming function: runs its app under uvicorn, with the CORS headers of its function URL."""

from __future__ import annotations

import argparse
import importlib
import os
import socket
from pathlib import Path

from local.api.cors import CorsMiddleware
from local.asgi_server import serve
from local.aws.credentials import aws_environment
from local.aws.iam import role_of
from local.aws.xray import TracedFunction
from local.deployment import Deployment
from local.lambda_ import lazy_imports


def main(arguments: list[str] | None = None) -> None:
    """`python -m local.api.stream --deployment FILE --fd N`; `--fd` is the descriptor of a listening socket."""
    parser = argparse.ArgumentParser(prog="python -m local.api.stream", description=__doc__)
    parser.add_argument("--deployment", type=Path, required=True)
    parser.add_argument("--fd", type=int, required=True)
    options = parser.parse_args(arguments)
    deployment = Deployment.load(options.deployment)
    function = next(function for function in deployment.template.functions if function.has_url)
    os.environ.update(aws_environment(deployment.aws_url, role=role_of(function.logical_id)))
    os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = str(function.memory)
    os.environ.update(deployment.variables(function))
    package = ".".join(function.code.relative_to(deployment.root.resolve()).parts)
    lazy_imports.import_all(models=False)
    app = importlib.import_module(f"{package}.app").app
    app = CorsMiddleware(TracedFunction(app, function.name), function.url_cors)
    # Clients keep connections for five seconds. If this server did so as well, a request could meet the end of one.
    serve(app, socket.socket(fileno=options.fd), origins=deployment.origins, keep_alive_seconds=3600)


if __name__ == "__main__":
    main()
