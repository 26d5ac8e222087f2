#!/bin/bash
# What Lambda Web Adapter starts: a server with app.py.
set -eu
export PYTHONPATH="${PYTHONPATH:-}:/opt/python:${LAMBDA_RUNTIME_DIR:-}"
exec python -m shared.web.server
