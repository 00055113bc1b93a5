"""`make bench`: every figure is a ratio of two things measured side by side in this run.

ARGS: names of benchmarks (all by default), `--quick` for a smaller size, `--write` to put the figures into
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks import figures, groups, imports, ldap, peers, reads, writes
from benchmarks.figures import Figure

BENCHMARKS = {
    "reads": reads.run,
    "peers": peers.run,
    "writes": writes.run,
    "imports": imports.run,
    "groups": groups.run,
    "ldap": ldap.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which ones; all by default")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size, to see that it works")
    parser.add_argument("--write", action="store_true", help="write the figures to docs/benchmarks.md")
    options = parser.parse_args()
    found: list[Figure] = []
    for name in options.names or BENCHMARKS:
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as folder:
            Path(folder).chmod(0o755)
            for figure in BENCHMARKS[name](Path(folder), quick=options.quick):
                print(figure, flush=True)
                found.append(figure)
    if options.write:
        figures.write(found)


if __name__ == "__main__":
    main()
