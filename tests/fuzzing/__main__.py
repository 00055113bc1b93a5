"""Coverage-guided fuzzing of one entry point: python -m fuzzing filter --seconds 600 [--keep FOLDER].

It ends with 0 when the time is up and nothing was found. What breaks a promise is written to FOLDER (`crash-...`,
`timeout-...`, `oom-...`), else to the current folder; `python -m fuzzing filter --again FILE` runs it once more.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["isthmus"]):
    from fuzzing.entries import LONGEST, NAMES, PREFIX, opened
    from harness import folder_in_memory
from fuzzing.seeds import DICTIONARY, seeds

MEMORY_MB = 1_024
HANG_SECONDS = 30
"""Wall-clock time after which an input counts as a hang; CPU time is bounded by the entry."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="fuzzing", description=__doc__)
    parser.add_argument("entry", choices=NAMES)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--keep", type=Path, default=Path())
    parser.add_argument("--again", type=Path)
    parser.add_argument("--within", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.again is not None:
        with opened() as entries:
            entries[asked.entry](asked.again.read_bytes())
    elif asked.within is None:
        # the fuzzer leaves by _exit, so somebody else has to clean up
        with folder_in_memory(PREFIX) as folder:
            command = [sys.executable, "-m", "fuzzing", *sys.argv[1:], "--within", str(folder)]
            sys.exit(subprocess.run(command, check=False).returncode)
    else:
        with opened(asked.within) as entries:
            _run(entries[asked.entry], Path(asked.within), asked)


def _run(entry: object, folder: Path, asked: argparse.Namespace) -> None:
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds(asked.entry)):
        (corpus / f"{number:03}").write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in DICTIONARY))
    asked.keep.mkdir(parents=True, exist_ok=True)
    options = {
        "max_total_time": asked.seconds,
        "max_len": LONGEST,
        "timeout": HANG_SECONDS,
        "rss_limit_mb": MEMORY_MB,
        "dict": words,
        "artifact_prefix": f"{asked.keep}{os.sep}",
        "print_final_stats": 1,
    }
    arguments = [sys.argv[0], str(corpus), *(f"-{name}={value}" for name, value in options.items())]
    atheris.Setup(arguments, entry)
    with contextlib.suppress(KeyboardInterrupt):
        atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in word.encode())


if __name__ == "__main__":
    main()
