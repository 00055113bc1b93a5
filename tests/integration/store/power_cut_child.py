"""Writes to a store and tells what is durable: python power_cut_child.py FOLDER NAME ROUNDS [careless]."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from isthmus.store import Store, checkpoints, durable

THREADS = 3


def main(folder: Path, name: str, rounds: int) -> None:
    checkpoints._ENOUGH = 30  # pages, so that the log is copied back and begun anew many times
    checkpoints._LARGE = 60
    with Store.open(folder) as store:

        def write(thread: int) -> None:
            for n in range(1, rounds + 1):
                # texts of several pages, so that a torn one is seen
                store.settings.set(f"{name}-{thread}", f"{n} " + f"{n % 10}" * (n * 997 % 9000))
                os.write(1, f"{name}-{thread}={n}\n".encode())

        threads = [threading.Thread(target=write, args=(thread,)) for thread in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os.write(1, b"end\n")


if __name__ == "__main__":
    if sys.argv[4:] == ["careless"]:
        durable._sync = lambda _file: None
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
