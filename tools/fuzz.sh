#!/usr/bin/env bash
# Fuzz the entry points one after the other. Usage: tools/fuzz.sh [SECONDS [ENTRY...]]
# Ends with 1 if anything was found; the inputs stand in found/, and the words above each say what it broke.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-600}
shift || true
[ $# -gt 0 ] || set -- filter path patch json openapi

export PYTHONPATH=src:tests
result=0
for entry in "$@"; do
  echo "fuzz: $entry, $seconds s" >&2
  if [ "$entry" = openapi ]; then
    .venv/bin/python -m fuzzing.openapi --seconds "$seconds" || result=1
  else
    .venv/bin/python -m fuzzing "$entry" --seconds "$seconds" --keep found || result=1
  fi
done
exit "$result"
