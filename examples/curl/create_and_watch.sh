#!/usr/bin/env bash
# Create a job, watch its stream to the end, and print its result.
#
# API and TOKEN are read from the environment; `make dev` prints both for the local stack:
#
#     API=http://127.0.0.1:8080 TOKEN=eyJ… examples/curl/create_and_watch.sh
set -euo pipefail
: "${API:?set API to the base URL of the HTTP API}" "${TOKEN:?set TOKEN to a bearer token}"

call() { curl --silent --show-error --fail-with-body --header "Authorization: Bearer $TOKEN" "$@"; }
field() {
    python3 -c 'import json, sys
found = json.load(sys.stdin)["data"][sys.argv[1]]
print(found if isinstance(found, str) else json.dumps(found, indent=2, ensure_ascii=False))' "$1"
}

# The key makes a repeat of this request return the first job, so it is safe to send the request again.
job=$(call --header "Content-Type: application/json" --header "Idempotency-Key: $(date +%s)-$$" \
    --data '{"pipeline": "suggestion", "input": {"pageOrComponent": "Checkout page", "featureType": "enhancement",
             "priorityLevel": "high"}}' "$API/jobs")
status_url=$(field statusUrl <<<"$job")
stream_url=$(field streamUrl <<<"$job")

# A connection lasts at most a minute. A stream that ends without a terminal event is opened again after the last
# event's id, so that no event is lost and none is repeated.
last=0
events=$(mktemp)
trap 'rm -f "$events"' EXIT
until grep -qE '^event: (complete|error|cancelled)$' "$events"; do
    call --no-buffer --header "Last-Event-ID: $last" "$stream_url" | tee "$events"
    newest=$(sed -n 's/^id: //p' "$events" | tail -n 1)
    last=${newest:-$last}
done

call "$status_url" | field result
