#!/usr/bin/env bash
# Write the lock files anew from pyproject.toml. They carry hashes and name no host: where packages come from is each
# machine's own setting. `make lock ARGS=--upgrade` moves to the newest versions.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=${UV:-$(command -v uv || echo .venv/bin/uv)}
[ -x "$uv" ] || { echo "lock: uv is not installed; install it with: pip install uv" >&2; exit 1; }

compile() {
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links "$@"
}

compile pyproject.toml --output-file requirements.lock "${@}"
compile --group build --constraint requirements.lock --output-file requirements-build.lock "${@}"
compile pyproject.toml --group build --group dev --constraint requirements.lock --output-file requirements-dev.lock "${@}"
compile pyproject.toml --extra ldap --constraint requirements-dev.lock --output-file requirements-ldap.lock "${@}"

if grep -nE '://|^--|^[[:space:]]*-(i|f)[[:space:]]' requirements.lock requirements-build.lock requirements-dev.lock requirements-ldap.lock; then
  echo "lock: a lock file names a host or an option (lines above)" >&2
  exit 1
fi
