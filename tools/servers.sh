#!/usr/bin/env bash
# Install the database and directory servers that the tests start privately, and the tools that tests and documentation use; never
# start a server as a service.
# Does nothing unless ISTHMUS_REQUIRE=all: without it tests use what is there and skip the rest with the reason.
set -euo pipefail

if [ "${ISTHMUS_REQUIRE:-}" != all ]; then exit 0; fi

say() { echo "servers: $*" >&2; }
have() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null; }

missing=()
if ! { have postgres && have initdb && have psql; }; then missing+=(postgresql); fi
if ! { have mariadbd && have mariadb-install-db; }; then missing+=(mariadb-server); fi
if ! { have slapd && have ldapsearch; }; then missing+=(slapd ldap-utils); fi
# The second implementation; its tests need the server only, without its administration tools.
have ns-slapd || missing+=(389-ds-base)
have setpriv || missing+=(util-linux)
# Records what a disk is told, for the tests of power cuts.
have strace || missing+=(strace)
# The documentation's own commands are run as they stand.
have curl || missing+=(curl)
have sqlite3 || missing+=(sqlite3)
if [ "${#missing[@]}" = 0 ]; then exit 0; fi

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  say "ISTHMUS_REQUIRE=all, but missing: ${missing[*]}. Installing them needs root on Debian; as root: apt-get install ${missing[*]}."
  say "Or leave ISTHMUS_REQUIRE out: tests that need a missing server are then skipped."
  exit 1
fi

# 101 tells Debian's package scripts to start nothing. A policy that is already there is kept.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
say "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
