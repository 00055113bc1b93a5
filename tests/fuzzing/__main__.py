"""Coverage-guided fuzzing of entry points: python -m fuzzing filter path --seconds 600 [--keep FOLDER].

It ends with 0 when the time is up and nothing was found. What breaks a promise is written to FOLDER (`crash-...`,
`timeout-...`, `oom-...`), else to the current folder; `python -m fuzzing filter --again FILE` runs it once more.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import sys
import traceback
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["isthmus"]):
    from fuzzing.entries import LONGEST, NAMES, PREFIX, Entry, opened
    from harness import folder_in_memory
from fuzzing.seeds import DICTIONARY, seeds

MEMORY_MB = 1_024
HANG_SECONDS = 30
"""Wall-clock time after which an input counts as a hang; CPU time is bounded by the entry."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="fuzzing", description=__doc__)
    parser.add_argument("entries", nargs="+", choices=NAMES, metavar="entry", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=int, default=600, help="for each entry at most")
    parser.add_argument("--runs", type=int, default=-1, help="inputs for each entry at most; -1: no limit")
    parser.add_argument("--seed", type=int, default=0, help="where chance begins; 0: somewhere else each time")
    parser.add_argument("--keep", type=Path, default=Path())
    parser.add_argument("--again", type=Path)
    asked = parser.parse_args()
    if asked.again is not None:
        with opened() as entries:
            for entry in asked.entries:
                entries[entry](asked.again.read_bytes())
        return
    sys.exit(max([_apart(entry, asked) for entry in asked.entries]))


def _apart(entry: str, asked: argparse.Namespace) -> int:
    """Fuzz one entry in a process of its own and return 0 if nothing was found.

    The fuzzer leaves by _exit, so somebody else has to clean up. A fork, since making the program ready for the fuzzer
    takes longer than a short run.
    """
    with folder_in_memory(PREFIX) as folder:
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            try:
                with opened(str(folder)) as entries:
                    _run(entry, entries[entry], folder, asked)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(1)
        return abs(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _run(name: str, entry: Entry, folder: Path, asked: argparse.Namespace) -> None:
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds(name)):
        (corpus / f"{number:03}").write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in DICTIONARY))
    asked.keep.mkdir(parents=True, exist_ok=True)
    options = {
        "max_total_time": asked.seconds,
        "runs": asked.runs,
        "seed": asked.seed,
        "max_len": LONGEST,
        "reload": 0,  # nobody else writes to the corpus; reading it again each second would add inputs by the clock
        "timeout": HANG_SECONDS,
        "rss_limit_mb": MEMORY_MB,
        "dict": words,
        "artifact_prefix": f"{asked.keep}{os.sep}",
        "print_final_stats": 1,
    }
    arguments = [sys.argv[0], str(corpus), *(f"-{name}={value}" for name, value in options.items())]

    def kept(data: bytes) -> None:
        try:
            entry(data)
        except BaseException:
            (asked.keep / f"crash-{hashlib.sha1(data, usedforsecurity=False).hexdigest()}").write_bytes(data)
            raise

    atheris.Setup(arguments, kept)
    with contextlib.suppress(KeyboardInterrupt):
        atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in word.encode())


if __name__ == "__main__":
    main()
