"""Requests generated from our own OpenAPI document, and whether each answer is as the document describes it.

python -m fuzzing.openapi --seconds 600
"""

from __future__ import annotations

import argparse
import random
import time
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from fuzzing.entries import CPU_SECONDS, Broken, Host, served
from isthmus.web.gate import Gate

CHECKED = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


class Described:
    """The operations that a connector's document describes, and requests that follow or break the descriptions."""

    def __init__(self, host: Host, connector: str) -> None:
        self._ids = host.ids[connector]
        self._headers = {"Authorization": f"Bearer {host.served.token(connector)}"}
        application: Gate = host.served.application
        self.document = schemathesis.openapi.from_wsgi(
            f"/scim/{connector}/openapi.json", application, headers=self._headers
        )
        self._checks = [check for check in CHECKS.get_all() if check.__name__ in CHECKED]
        assert len(self._checks) == len(CHECKED)
        self.operations = {found.label: found for found in (each.ok() for each in self.document.get_all_operations())}

    def try_out(self, label: str, examples: int, *, chance: int) -> None:
        """Send so many generated requests of one operation."""
        operation = self.operations[label]
        known = {"/Users": self._ids[0], "/Groups": self._ids[1]}.get(f"/{operation.path.split('/')[1]}")
        modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        for mode in modes:

            @seed(chance)
            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def run(case: Any) -> None:
                if known is not None and case.path_parameters and case.method != "DELETE":
                    case.path_parameters["id"] = known
                before = time.thread_time()
                answer = case.call(headers=self._headers)
                if answer.status_code >= 500 and answer.status_code != 501:  # /Me is described as 501
                    raise Broken(f"{label} was answered with {answer.status_code}: {answer.content[:500]!r}")
                case.validate_response(answer, checks=self._checks)
                if (spent := time.thread_time() - before) > CPU_SECONDS:
                    raise Broken(f"{label} took {spent:.1f} s of CPU time")

            run()


def main() -> None:
    parser = argparse.ArgumentParser(prog="fuzzing.openapi", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    asked = parser.parse_args()
    end = time.monotonic() + asked.seconds
    with served() as host:
        described = [Described(host, connector) for connector in ("app", "strict")]
        rounds = 0
        while time.monotonic() < end:
            for label in described[0].operations:
                described[rounds % 2].try_out(label, 20, chance=random.randrange(1 << 32))
            rounds += 1
    print(f"{rounds} rounds, nothing found")


if __name__ == "__main__":
    main()
