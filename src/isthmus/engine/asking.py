"""Put the questions of many threads to a target together.

While one question is on its way, those that come meanwhile gather; when it is answered, one of their threads asks for
all of them at once. A question that nobody else asks at that moment goes out at once and alone. So many threads cost
one call, one connection and one wait, and each of them sleeps once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from isthmus.engine.admission import Admission, Guest
from isthmus.engine.caller import Caller
from isthmus.engine.turns import Pause, Turns
from isthmus.spi import ConnectorError, TargetUnavailable

V = TypeVar("V", bound=Hashable)
R = TypeVar("R")

MOST = 50
"""Questions that are put together at most."""
LATE = 0.02
"""Seconds behind a call after which the next one goes out beside it: a slow answer must not hold all others up."""


class _Asker(Generic[V, R]):
    """A thread that wants to know. `told`: its pause was ended, since there is an answer or since it `leads`."""

    __slots__ = ("guest", "leads", "pause", "question", "told")

    def __init__(self, pause: Pause) -> None:
        self.pause = pause
        self.guest: Guest | None = None
        self.question: _Question[V, R] | None = None
        self.leads = self.told = False


class _Question(Generic[V, R]):
    """A value that is asked for. `taken`: a call is under way with it; `done`: it has ended."""

    __slots__ = ("answer", "askers", "done", "error", "taken", "value")

    def __init__(self, value: V) -> None:
        self.value = value
        self.askers: list[_Asker[V, R]] = []
        self.taken = self.done = False
        self.answer: R | None = None
        self.error: BaseException | None = None


class Asking(Generic[V, R]):
    """Questions of one kind to one target. `put` asks: it returns an answer for each value, in their order."""

    def __init__(
        self, connector: str, admission: Admission, turns: Turns, put: Callable[[Sequence[V], Caller], Sequence[R]]
    ) -> None:
        self._connector = connector
        self._admission = admission
        self._turns = turns
        self._put = put
        self._mutex = threading.Lock()  # never held while waiting; taken after that of the admission
        self._known: dict[V, _Question[V, R]] = {}
        self._waiting: list[_Question[V, R]] = []
        self._calls = 0  # under way, or about to be: somebody leads

    def ask(self, value: V, caller: Caller) -> R | None:
        """Return the answer for the value; one question for all who want the same. None: it has to be asked alone.

        Raises:
            ScimError: 503, too many wait for the target already.
            TimeoutError: there was no answer within the caller's time.
            BaseException: what `put` raised.
        """
        asker: _Asker[V, R] = _Asker(self._turns.pause())
        with self._admission.beside(self._connector, lambda: self._admitted(asker)) as guest:
            try:
                return self._answer(asker, guest, value, caller)
            finally:
                self._withdraw(asker)

    def _answer(self, asker: _Asker[V, R], guest: Guest, value: V, caller: Caller) -> R | None:
        began = time.monotonic()
        with self._mutex:
            question = self._known.get(value)
            if question is None:
                question = self._known[value] = _Question(value)
                self._waiting.append(question)
            question.askers.append(asker)
            asker.guest, asker.question = guest, question
            if guest.asks and not question.taken and not self._calls:
                asker.leads = True
                self._calls += 1
        while not question.done:
            if asker.leads:
                self._lead(asker, caller)
            else:
                self._sleep(asker, question, guest, began, caller.deadline)
        if question.error is not None:
            raise question.error
        return question.answer

    def _sleep(
        self, asker: _Asker[V, R], question: _Question[V, R], guest: Guest, began: float, deadline: float
    ) -> None:
        """Sleep until there is an answer, this thread is to lead, or the time is up."""
        now = time.monotonic()
        if now >= deadline:
            raise TimeoutError
        seconds = deadline - now
        patience = self._admission.patience(guest)
        if patience >= 0:
            seconds = min(seconds, patience)
        elif not question.taken:
            seconds = min(seconds, max(0.0, began + LATE - now))
        ended = asker.pause.wait(seconds)
        with self._mutex:
            if ended:
                asker.pause, asker.told = self._turns.pause(), False
            elif guest.asks and not asker.leads and not question.taken and time.monotonic() >= began + LATE:
                asker.leads = True
                self._calls += 1

    def _lead(self, asker: _Asker[V, R], caller: Caller) -> None:
        """Ask for all that wait, unless somebody who was late has done so already."""
        with self._mutex:
            asker.leads = False
            if asker.question is None or asker.question.taken:
                self._calls -= 1
                self._appoint()
                return
            questions = self._taken(asker.question)
        answers: Sequence[R | None] = [None] * len(questions)
        error: BaseException | None = None
        try:
            answers = self._put([question.value for question in questions], caller)
        except ConnectorError as exc:
            # What the target says of many values at once need not be true of each: they are asked alone.
            if len(questions) == 1 or isinstance(exc, TargetUnavailable):
                error = exc
        except BaseException as exc:
            error = exc
            raise
        finally:
            self._end(asker, questions, answers, error)

    def _taken(self, own: _Question[V, R]) -> list[_Question[V, R]]:
        """Take those that wait longest, and this one."""
        questions = self._waiting[:MOST]
        if own not in questions:
            questions[-1] = own
        for question in questions:
            question.taken = True
        self._waiting = [question for question in self._waiting if not question.taken]
        return questions

    def _end(
        self,
        asker: _Asker[V, R],
        questions: Sequence[_Question[V, R]],
        answers: Sequence[R | None],
        error: BaseException | None,
    ) -> None:
        with self._mutex:
            self._calls -= 1
            self._appoint()  # first, so that the target does not wait
            for question, answer in zip(questions, answers, strict=True):
                question.done, question.answer, question.error = True, answer, error
                del self._known[question.value]
                for each in question.askers:
                    if each is not asker:
                        self._tell(each)

    def _appoint(self) -> None:
        """Make one of those who wait and may ask the leader, if there is none."""
        if self._calls:
            return
        for question in self._waiting:
            for asker in question.askers:
                if asker.guest is not None and asker.guest.asks:
                    asker.leads = True
                    self._calls += 1
                    self._tell(asker)
                    return

    @staticmethod
    def _tell(asker: _Asker[V, R]) -> None:
        if not asker.told:
            asker.told = True
            asker.pause.end()

    def _admitted(self, asker: _Asker[V, R]) -> None:
        """A thread may ask that waited for its place."""
        with self._mutex:
            if not self._calls and asker.question is not None and not asker.question.taken:
                asker.leads = True
                self._calls += 1
                self._tell(asker)

    def _withdraw(self, asker: _Asker[V, R]) -> None:
        """Forget a thread that has its answer, or gave up; nobody tells it anything any more."""
        with self._mutex:
            question, asker.question = asker.question, None
            if question is not None:
                question.askers.remove(asker)
                if not question.askers and not question.taken:
                    self._waiting.remove(question)
                    del self._known[question.value]
            if asker.leads:
                asker.leads = False
                self._calls -= 1
                self._appoint()
