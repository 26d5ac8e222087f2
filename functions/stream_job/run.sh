#!/bin/bash
# What Lambda Web Adapter starts: uvicorn serving app.py.
set -eu
export PYTHONPATH="${PYTHONPATH:-}:/opt/python:${LAMBDA_RUNTIME_DIR:-}"
exec python -m uvicorn --host 127.0.0.1 --port "$AWS_LWA_PORT" --log-level warning --no-access-log app:app
