"""The demo: a running host with generated people, and a walk through what an identity provider sends."""

from __future__ import annotations

from isthmus.demo.running import run

__all__ = ["run"]
