"""Short runs of the fuzzers: mutations of the seeds in this process, and coverage-guided where atheris is installed.

`make fuzz` runs the second kind for ten minutes for each entry point.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.servers.requirement import missing
from drawing import examples
from fuzzing import entries
from fuzzing.entries import NAMES, Broken, Entry, opened
from fuzzing.seeds import DICTIONARY, seeds

ROOT = Path(__file__).parents[2]
RUNS = 2_000
"""Inputs for each entry: some seconds."""

pieces = st.one_of(st.sampled_from([word.encode() for word in DICTIONARY]), st.binary(max_size=4))


@st.composite
def mutated(draw: st.DrawFn, entry: str) -> bytes:
    """Return a seed with some places overwritten, taken out, doubled, or filled with words."""
    data = draw(st.sampled_from(seeds(entry)))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 12)))
        data = data[:start] + draw(pieces | st.just(data[start:end] * 2)) + data[end:]
    return data


@pytest.fixture(scope="module")
def host() -> Iterator[dict[str, Entry]]:
    with opened() as found:
        yield found


@pytest.mark.parametrize("name", NAMES)
def test_the_seeds(host: dict[str, Entry], name: str) -> None:
    for seed in seeds(name):
        host[name](seed)


@pytest.mark.parametrize("name", NAMES)
def test_mutations_of_the_seeds(host: dict[str, Entry], name: str) -> None:
    @settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutated(name))
    def run(data: bytes) -> None:
        host[name](data)

    run()


def test_the_entries_notice_what_is_broken(host: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(_data: bytes) -> None:
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass

    monkeypatch.setattr(entries, "CPU_SECONDS", 0.01)
    with pytest.raises(Broken, match="CPU"):
        entries.timed(slow)(b"x")
    monkeypatch.setattr(entries, "CPU_SECONDS", 5.0)
    monkeypatch.setattr("isthmus.engine.endpoint.Endpoint.list", lambda *_given, **_named: 1 / 0)
    with pytest.raises(Broken, match="500"):
        host["filter"](b"\x00userName pr")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_guided_by_coverage(tmp_path: Path) -> None:
    """The same inputs in every run, as long as the program is the same."""
    if importlib.util.find_spec("atheris") is None:
        if sys.platform != "linux" or sys.version_info >= (3, 14):
            pytest.skip("atheris has no build for this platform")
        missing("atheris")
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    done = subprocess.run(
        [sys.executable, "-m", "fuzzing", *NAMES, "--seed", "1", "--runs", str(RUNS), "--keep", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "0"},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=380,
    )
    told = "".join(stream.decode(errors="replace")[-4000:] for stream in (done.stderr, done.stdout))  # a fault: stdout
    assert done.returncode == 0, told
    assert not list(tmp_path.glob("*-*")), told
    counts = re.findall(rb"stat::number_of_executed_units: (\d+)", done.stderr)
    assert [int(count) for count in counts] == [RUNS] * len(NAMES), told
