#!/usr/bin/env bash
# Make .venv from the lock files. Usage: tools/bootstrap.sh run|dev
# Done before: returns at once. `run` installs what the program needs, `dev` also what tests and checks need.
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:?usage: tools/bootstrap.sh run|dev}
case $kind in
  run) locks=(requirements.lock requirements-build.lock) ;;
  dev) locks=(requirements-dev.lock) ;;
  *) echo "bootstrap: unknown kind: $kind (run or dev)" >&2; exit 2 ;;
esac

say() { echo "bootstrap: $*" >&2; }

# The stamp names everything the environment was made from; a moved folder counts too, scripts in .venv/bin hold its path.
fingerprint() { { pwd -P; cat pyproject.toml "$@" src/isthmus/__init__.py; } | cksum; }
stamp=.venv/.stamp-$kind
wanted=$(fingerprint "${locks[@]}")
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then exit 0; fi
# What tests need contains what the program needs.
if [ "$kind" = run ] && [ -f .venv/.stamp-dev ] && [ "$(cat .venv/.stamp-dev)" = "$(fingerprint requirements-dev.lock)" ]; then exit 0; fi

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3}; do
    if command -v "$candidate" >/dev/null && new_enough "$candidate"; then echo "$candidate"; return; fi
  done
  say "no Python 3.11 or newer found${PYTHON:+ ($PYTHON)}. On Debian: apt-get install python3 python3-venv. Elsewhere set PYTHON=/path/to/python3."
  exit 1
}

make_venv() {
  local python
  python=$(find_python)
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    # Debian splits venv off; only the test run, told to bring everything, may install packages of the system.
    if [ "$kind" = dev ] && [ "${ISTHMUS_REQUIRE:-}" = all ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      say "installing python3-venv"
      DEBIAN_FRONTEND=noninteractive apt-get update -qq
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
    else
      say "$python cannot make virtual environments. On Debian and Ubuntu: sudo apt-get install python3-venv. Then run the same command again."
      exit 1
    fi
  fi
  say "making .venv with $("$python" --version)"
  rm -rf .venv
  "$python" -m venv .venv
}

if ! { [ -x .venv/bin/python ] && new_enough .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }; then make_venv; fi

say "installing from ${locks[*]}"
requirements=()
for lock in "${locks[@]}"; do requirements+=(--requirement "$lock"); done
# The demo touches .venv and its own folder only: no cache in the home folder.
if [ "$kind" = run ]; then export PIP_NO_CACHE_DIR=1; fi
pip() { .venv/bin/python -m pip "$@" --quiet --disable-pip-version-check --no-input; }
pip install --require-hashes "${requirements[@]}" ||
  { say "installing failed; pip's words are above. Without a way to a package index nothing can be installed; a proxy or an index of your own is pip's setting (PIP_INDEX_URL, pip.conf)."; exit 1; }
pip install --no-deps --no-build-isolation --editable .
echo "$wanted" > "$stamp"
