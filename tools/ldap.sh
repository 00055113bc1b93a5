#!/usr/bin/env bash
# Put python-ldap into .venv: it comes as source and builds against OpenLDAP's and Cyrus SASL's headers.
# Where these are missing it is left out, and tests that need it are skipped with the reason; with ISTHMUS_REQUIRE=all
# (root, Debian) they are installed.
set -euo pipefail
cd "$(dirname "$0")/.."

lock=requirements-ldap.lock
stamp=.venv/.stamp-ldap
wanted=$(cat "$lock" .venv/.stamp-dev 2>/dev/null | cksum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then exit 0; fi

say() { echo "ldap: $*" >&2; }

can_build() {
  local headers
  headers=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
  printf '#include <Python.h>\n#include <ldap.h>\n#include <sasl/sasl.h>\n' | "${CC:-cc}" -E -I"$headers" - >/dev/null 2>&1
}

packages=(gcc libc6-dev python3-dev libldap-dev libsasl2-dev)
if ! can_build && [ "${ISTHMUS_REQUIRE:-}" = all ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say "ISTHMUS_REQUIRE=all, but python-ldap cannot be built. Install what it needs; on Debian as root: apt-get install ${packages[*]}."
    exit 1
  fi
  say "installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi
if ! can_build; then
  say "python-ldap is left out: its headers are missing. On Debian: sudo apt-get install ${packages[*]}."
  exit 0
fi
say "building python-ldap"
# The builder (setuptools) is in the environment, locked like the rest: nothing unseen is downloaded.
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --no-build-isolation --require-hashes \
  --requirement "$lock"
echo "$wanted" > "$stamp"
