"""The in-memory connector passes the conformance suite, with every object type it has."""

from __future__ import annotations

from connectors.memory_conformance import MemoryConformance


class TestUsers(MemoryConformance):
    object_type = "user"


class TestGroups(MemoryConformance):
    object_type = "group"


class TestAssignments(MemoryConformance):
    object_type = "assignment"


class TestDevices(MemoryConformance):
    object_type = "device"
