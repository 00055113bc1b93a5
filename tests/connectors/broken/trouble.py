"""Broken on bad days: outages, cancellation, secrets."""

from __future__ import annotations

import logging
import threading

from connectors.broken.registry import broken
from isthmus.connectors.memory import MemoryConnector
from isthmus.spi import (
    AlreadyExists,
    Call,
    InvalidValue,
    MisconfiguredConnector,
    NotFound,
    TargetUnavailable,
    Throttled,
)


@broken(
    "test_hanging_target_is_unavailable_in_time",
    because="had not returned",
    also=("test_open_session_survives_a_hang",),
)
class WaitsForever(MemoryConnector):
    """Reads without a deadline."""

    def read(self, object_type, identity, *, attributes, call):
        if call.remaining() < 5:
            call.check()
            call = Call(timeout=20)
        return super().read(object_type, identity, attributes=attributes, call=call)


@broken(
    "test_password_of_unknown_is_not_found",
    because="let SystemExit escape",
    also=("test_secrets_never_show",),
)
class EndsItsProcess(MemoryConnector):
    """Ends like a script where something is wrong."""

    def set_password(self, object_type, identity, password, *, call):
        try:
            super().set_password(object_type, identity, password, call=call)
        except NotFound as error:
            raise SystemExit(1) from error


@broken(
    "test_delete_of_unknown_is_not_found",
    because="without a text",
    also=("test_one_of_two_deletes_at_once_succeeds",),
)
class SaysNothing(MemoryConnector):
    """Raises the right error and does not say why."""

    def delete(self, object_type, identity, *, call):
        try:
            super().delete(object_type, identity, call=call)
        except NotFound as error:
            raise NotFound("") from error


@broken(
    "test_dead_target_is_unavailable",
    because="MisconfiguredConnector",
)
class BlamesTheSettings(MemoryConnector):
    """Takes a target that is down for a mistake in the settings."""

    def test(self, *, call):
        if self._target.weather.down:
            raise MisconfiguredConnector("the target refuses connections")
        super().test(call=call)


@broken(
    "test_open_session_survives_an_outage",
    because="it is broken for good",
)
class NeverRecovers(MemoryConnector):
    """Does not replace a connection that failed."""

    failed = False

    def read(self, object_type, identity, **named):
        if self.failed:
            raise TargetUnavailable("the connection failed before and it is broken for good")
        try:
            return super().read(object_type, identity, **named)
        except TargetUnavailable:
            self.failed = self._target.weather.down
            raise


@broken(
    "test_unanswered_write_says_that_its_outcome_is_unknown",
    because="outcome is known",
)
class KnowsTheOutcome(MemoryConnector):
    """Denies that a write without an answer may have taken effect, and settles nothing."""

    def update(self, object_type, identity, changes, **named):
        try:
            return super().update(object_type, identity, changes, **named)
        except TargetUnavailable as error:
            error.outcome_unknown = False
            raise


@broken(
    "test_settle_of_a_hanging_target_is_unavailable",
    because="settle of a target that hangs",
)
class SettlesAtOnce(MemoryConnector):
    """Returns from settle() although a write may still take effect."""

    def settle(self, session, *, call):
        if not self._target.weather.hanging:
            super().settle(session, call=call)


@broken(
    "test_throttled_target_says_when_to_come_back",
    because="expected Throttled, got TargetUnavailable",
)
class ForgetsWhenToComeBack(MemoryConnector):
    """Takes throttling for an outage."""

    def test(self, *, call):
        try:
            super().test(call=call)
        except Throttled as error:
            raise TargetUnavailable(error.message) from error


@broken(
    "test_wrong_credentials_are_a_misconfiguration",
    because="expected MisconfiguredConnector",
)
class RetriesAWrongPassword(MemoryConnector):
    """Takes a wrong password for an outage."""

    def test(self, *, call):
        try:
            super().test(call=call)
        except MisconfiguredConnector as error:
            raise TargetUnavailable(error.message) from error


@broken(
    "test_cancelled_calls_do_nothing",
    because="took effect",
    also=("test_calls_past_their_deadline_do_nothing",),
)
class WritesFirst(MemoryConnector):
    """Looks at cancellation and deadline after the write."""

    def update(self, object_type, identity, changes, *, call, **named):
        result = super().update(object_type, identity, changes, call=Call(timeout=0.1, session=call.session), **named)
        call.sent("update")
        call.check()
        return result


@broken(
    "test_secrets_never_show",
    because="a secret shows in: error",
)
class ShowsThePasswordInAnError(MemoryConnector):
    """Repeats the password in an error."""

    def set_password(self, object_type, identity, password, **named):
        try:
            super().set_password(object_type, identity, password, **named)
        except NotFound as error:
            raise NotFound(f"no object to set {password.reveal()} on") from error


@broken(
    "test_secrets_never_show",
    because="a secret shows in: error",
)
class ShowsThePasswordInACause(MemoryConnector):
    """Passes on a driver's error that repeats the password."""

    def create(self, object_type, attributes, *, password=None, **named):
        try:
            return super().create(object_type, attributes, password=password, **named)
        except AlreadyExists as error:
            if password is None:
                raise
            raise AlreadyExists("taken", attribute=error.attribute) from ValueError(f"VALUES ({password.reveal()!r})")


@broken(
    "test_secrets_never_show",
    because="a secret shows in: text given to call.sent()",
)
class ShowsThePasswordInTheAudit(MemoryConnector):
    """Reports the password among what was sent."""

    def set_password(self, object_type, identity, password, *, call):
        call.sent(f"SET PASSWORD {password.reveal()}")
        super().set_password(object_type, identity, password, call=call)


@broken(
    "test_secrets_never_show",
    because="a secret shows in: log",
)
class ShowsThePasswordInALog(MemoryConnector):
    """Logs the target's password."""

    def test(self, *, call):
        logging.getLogger(__name__).debug("connecting with %s", self._settings.password.reveal())
        super().test(call=call)

    def read_schema(self, *, call):
        self.test(call=call)
        return super().read_schema(call=call)


@broken(
    "test_secrets_never_show",
    because="a secret shows in: repr of the connector",
)
class ShowsThePasswordInItsRepr(MemoryConnector):
    """Shows the target's password in its repr."""

    def __repr__(self):
        return f"<connector with {self._settings.password.reveal()}>"


@broken(
    "test_secret_attributes_never_show",
    because="the value of pin shows",
)
class ShowsASecretAttribute(MemoryConnector):
    """Repeats the value of a secret attribute in an error."""

    def update(self, object_type, identity, changes, **named):
        try:
            return super().update(object_type, identity, changes, **named)
        except InvalidValue as error:
            shown = [c.replace for c in changes if c.name == "pin"]
            raise InvalidValue(f"{error.message} {shown}", attribute=error.attribute) from error


@broken(
    "test_what_was_sent_is_reported_with_values_masked",
    because="a value shows in what was sent",
)
class ReportsValues(MemoryConnector):
    """Reports values among what was sent."""

    def update(self, object_type, identity, changes, *, call, **named):
        call.sent(f"SET {[c.replace for c in changes if c.name == 'displayName']}")
        return super().update(object_type, identity, changes, call=call, **named)


@broken(
    "test_what_was_sent_is_reported_with_values_masked",
    because="delete() reported nothing",
)
class ReportsNothing(MemoryConnector):
    """Does not report a deletion."""

    def delete(self, object_type, identity, *, call):
        call.check()
        silent = Call(timeout=call.remaining(), session=call.session)
        super().delete(object_type, identity, call=silent)


@broken(
    "test_threads_at_once",
    because="one thread at a time",
)
class MixesThreadsUp(MemoryConnector):
    """Keeps the request under way in the connector, where another thread finds it."""

    thread = None

    def read(self, object_type, identity, *, attributes, call):
        self.thread = threading.get_ident()
        if tuple(attributes) == ("displayName",) and threading.current_thread() is not threading.main_thread():
            threading.Event().wait(0.005)
            if self.thread != threading.get_ident() and object_type == "user":
                raise TargetUnavailable("this connection takes one thread at a time")
        return super().read(object_type, identity, attributes=attributes, call=call)
