#!/bin/bash
# Start the server of app.py. Lambda Web Adapter runs this script.
set -eu
export PYTHONPATH="${PYTHONPATH:-}:/opt/python:${LAMBDA_RUNTIME_DIR:-}"
exec python -m shared.web.server
