"""What happens where a server is not installed: skipped with the reason, or a failure where everything is required."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip the test, or fail it with `ISTHMUS_REQUIRE=all`."""
    if os.environ.get("ISTHMUS_REQUIRE") == "all":
        pytest.fail(f"{what} is not installed, and ISTHMUS_REQUIRE=all asks for it", pytrace=False)
    pytest.skip(f"{what} is not installed")
