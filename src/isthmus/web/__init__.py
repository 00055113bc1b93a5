"""HTTP: the SCIM endpoints, operations, and the processes that serve them.

structlog loads rich where it finds it, for colours on terminals. In a server process that is 0.1 s and 6 MB for
nothing; `python -m isthmus.web...` passes through here before anything else does.
"""

from __future__ import annotations

import sys


def _load_structlog_alone() -> None:
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # what makes an import fail
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]


_load_structlog_alone()
