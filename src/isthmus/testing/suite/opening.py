"""Opening, testing and closing a connector."""

from __future__ import annotations

import dataclasses
import gc
import re
import threading
from pathlib import Path

from isthmus.spi import Operation, settings_of
from isthmus.testing.hooks import Hooks
from isthmus.testing.subject import Subject

_OPEN_FILES = Path("/proc/self/fd")


class Opening(Hooks):
    def test_connector_type_describes_itself(self, subject: Subject) -> None:
        given = subject.type
        assert re.fullmatch(r"[a-z][a-z0-9_-]*", given.id), (
            "the id stands in configuration files and on the command line"
        )
        assert given.title.strip()
        assert given.concurrency in {"threads", "serial"}
        assert given.settle_seconds >= 0

    def test_settings_are_declared(self, subject: Subject) -> None:
        settings_class = subject.type.settings
        assert isinstance(subject.settings, settings_class)
        assert dataclasses.is_dataclass(settings_class)
        params = vars(settings_class)["__dataclass_params__"]
        assert params.frozen, "settings are shared between threads"
        for each in settings_of(settings_class):
            assert each.label.strip(), f"{each.name} needs a label: forms and documentation show it"

    def test_a_reachable_target_passes_its_test(self, subject: Subject) -> None:
        with subject.watched("test"):
            subject.connector.test(call=subject.call())

    def test_opening_does_not_talk_to_the_target(self, subject: Subject) -> None:
        with subject.needs_hook("dead_target", self.dead_target(subject.settings)) as dead:
            opened = subject.within(self.slack, "open() with a dead target", subject.open, dead)
            subject.within(self.slack, "close() with a dead target", subject.close, opened)

    def test_scopes_do_not_talk_to_the_target(self, subject: Subject) -> None:
        with subject.needs_hook("dead_target", self.dead_target(subject.settings)) as dead:
            opened = subject.open(dead)
            with subject.watched("scopes"):
                scopes = subject.within(self.slack, "scopes() with a dead target", opened.scopes)
            assert scopes, "scopes() follows from the settings alone"

    def test_closing_leaves_other_connectors_alone(self, subject: Subject) -> None:
        other = subject.open()
        with subject.watched("test"):
            other.test(call=subject.call())
        subject.close(other)
        with subject.watched("test"):
            subject.connector.test(call=subject.call())

    def test_use_after_close_raises_or_works(self, subject: Subject) -> None:
        """A closed connector may raise an error of `spi.errors`; it neither hangs nor lets anything else escape."""
        closed = subject.open()
        with subject.watched("test"):
            closed.test(call=subject.call())
        subject.close(closed)
        subject.tolerated(
            "test() after close()",
            subject.within,
            self.slack,
            "test() after close()",
            closed.test,
            call=subject.call(timeout=1),
        )

    def test_closing_releases_everything(self, subject: Subject) -> None:
        """Twenty connectors, opened, used and closed, leave no thread and no open file behind."""

        def once() -> None:
            opened = subject.open()
            with subject.watched("test"):
                opened.test(call=subject.call())
                opened.read_schema(call=subject.call())
            if Operation.IMPORT in subject.object_type.operations:
                for _ in subject.pages():
                    break
            subject.close(opened)

        def counted() -> tuple[int, int]:
            gc.collect()
            files = len(list(_OPEN_FILES.iterdir())) if _OPEN_FILES.is_dir() else 0
            return threading.active_count(), files

        once()  # what is made once for the whole process is not a leak
        threads, files = counted()
        for _ in range(20):
            once()
        threads_after, files_after = counted()
        assert threads_after <= threads + 2, f"close() leaves threads: {threads} before, {threads_after} after"
        assert files_after <= files + 2, f"close() leaves open files: {files} before, {files_after} after"
