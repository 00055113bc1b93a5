"""The conformance suite: whether a connector keeps the promises of `isthmus.spi`, sad paths included.

Subclass `ConnectorConformance` in a test module of your own and run pytest:

    class TestMyConnector(ConnectorConformance):
        connector_type = my_package.connector_type
        object_type = "person"

        @pytest.fixture
        def settings(self, tmp_path):
            return my_package.Settings(path=str(tmp_path / "people"))

That is all that is needed. What the connector can do is seen from its `Supports...` classes and from
`ObjectType.operations`; the rest is skipped, with the reason (`pytest -rs`). Some tests need something from outside: a
wrong password, a target that is dead or hangs, somebody else who writes. Each is a method of `Hooks` to override; left
out, its tests are skipped, or fail with `require_all = True`. A hook gets the settings of the test and may use `self`:
an autouse fixture of the subclass can put there what it needs.

    def wrong_credentials(self, settings):
        return dataclasses.replace(settings, password=Secret("wrong"))

    @contextmanager
    def dead_target(self, settings):
        with closed_port() as port:
            yield dataclasses.replace(settings, port=port)

    @contextmanager
    def hang_target(self, settings):
        with silent_port() as port:
            yield dataclasses.replace(settings, port=port)

`closed_port`, `silent_port` and `relay` make such targets out of sockets; a `relay` in front of the real target can
also be frozen in the middle of a session: if `settings` already goes through it, `hang_target` freezes it and gives
the same settings. If attributes made from the schema are not valid for your target, override `new_attributes(n)`; if
creating 10,000 objects one by one is slow, override `fill`. Class attributes that help: `text_attribute`, `reserved`,
`rounds`, `timeout`.

The suite needs pytest and nothing else but `isthmus.spi`.
"""

import pytest

pytest.register_assert_rewrite("isthmus.testing.suite", "isthmus.testing.subject")

from isthmus.testing.conformance import ConnectorConformance  # noqa: E402  asserts are rewritten only if registered before
from isthmus.testing.hooks import Hooks, OtherWriter  # noqa: E402
from isthmus.testing.subject import Subject  # noqa: E402
from isthmus.testing.targets import Relay, closed_port, relay, silent_port  # noqa: E402

__all__ = ["ConnectorConformance", "Hooks", "OtherWriter", "Relay", "Subject", "closed_port", "relay", "silent_port"]
