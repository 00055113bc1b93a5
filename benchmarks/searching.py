"""The ceiling of live look-ups: python-ldap alone asks the same, one bound connection for each thread.

Run as a process: URL, account, base, connections, searches. The password is in DIRECTORY_PASSWORD. Prints how many
searches a second it managed; a first tenth is not counted.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence

import ldap

from benchmarks.directory import ATTRIBUTES


def main(url: str, user: str, base: str, connections: int, searches: int) -> None:
    links = []
    for _ in range(connections):
        link = ldap.initialize(url)
        link.simple_bind_s(user, os.environ["DIRECTORY_PASSWORD"])
        links.append(link)
    _search(links, base, "warm", searches // 10)
    began = time.perf_counter()
    _search(links, base, "measured", searches)
    print(searches / (time.perf_counter() - began))


def _search(links: Sequence[ldap.ldapobject.SimpleLDAPObject], base: str, name: str, searches: int) -> None:
    def run(number: int) -> None:
        for each in range(number, searches, len(links)):
            wanted = f"(&(objectClass=inetOrgPerson)(uid=nobody.{name}.{each}))"
            found = links[number].search_ext_s(base, ldap.SCOPE_SUBTREE, wanted, [*ATTRIBUTES, "entryUUID"])
            assert not found

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(links))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
