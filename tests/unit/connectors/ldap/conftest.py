"""The directory tests need python-ldap, which is built from source and may be missing."""

from __future__ import annotations

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("ldap") else ["test_*.py"]
