"""The suite is tested by connectors that are broken on purpose: each must fail in its test, for its reason."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from connectors.broken import every_defect
from connectors.broken.registry import DEFECTS

HERE = Path(__file__).parent
TESTS = HERE.parent.parent


@pytest.fixture(scope="session")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Run the suite against every broken connector; return the messages of what failed, by connector and test.

    One process: the workers of the run around it have the processors. It loads the one plugin that it needs, since
    loading them all takes longer than two connectors do.
    """
    report = tmp_path_factory.mktemp("broken") / "report.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--tb=short",
        "-p",
        "no:cacheprovider",
        "-p",
        "pytest_timeout",
        f"--junitxml={report}",
    ]
    run = subprocess.run(
        [*command, str(HERE / "every_defect.py")],
        cwd=TESTS.parent,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout[-3000:] + run.stderr[-3000:]
    found: dict[str, dict[str, str]] = {name: {} for name in DEFECTS}
    for case in ET.parse(report).iter("testcase"):
        defect = case.attrib["classname"].rpartition(".Test")[2]
        for verdict in ("failure", "error"):
            for each in case.iter(verdict):
                found[defect][case.attrib["name"]] = f"{each.attrib.get('message', '')}\n{each.text or ''}"
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", list(DEFECTS))
def test_the_suite_notices(name: str, verdicts: dict[str, dict[str, str]]) -> None:
    defect, failed = DEFECTS[name], verdicts[name]
    assert defect.test in failed, f"not noticed; what failed is {sorted(failed)}"
    assert defect.because in failed[defect.test], f"failed for another reason:\n{failed[defect.test][:2000]}"
    assert sorted(set(failed) - defect.may_fail) == sorted({defect.test} | defect.also)


def test_every_defect_is_run() -> None:
    assert len(DEFECTS) >= 15
    assert all(hasattr(every_defect, f"Test{name}") for name in DEFECTS)
    for name in DEFECTS:
        for test in {DEFECTS[name].test} | DEFECTS[name].also | DEFECTS[name].may_fail:
            assert hasattr(getattr(every_defect, f"Test{name}"), test), f"{name} names a test that is not there: {test}"
