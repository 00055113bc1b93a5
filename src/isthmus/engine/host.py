"""Everything one process needs to serve: the store, the targets, the tokens, and the thread that repairs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from isthmus.config.documents import Configuration
from isthmus.engine.admission import Admission
from isthmus.engine.endpoint import Endpoint
from isthmus.engine.sessions import Sessions
from isthmus.engine.target import OnCall, Target
from isthmus.engine.tokens import Tokens
from isthmus.engine.turns import Turns
from isthmus.store import Store, StoreError

log = structlog.get_logger("isthmus.host")

REPAIR_INTERVAL = 1.0
CLOSE_SECONDS = 15.0  # for what is being repaired when the host closes
CLOSE_DELAY = 60.0  # how long a connector that was replaced by a reload may still answer what it began


class Host:
    """One process's view of all connectors. Open it after a fork, never before."""

    def __init__(
        self, configuration: Configuration, store: Store, *, threads: int, on_call: OnCall | None = None
    ) -> None:
        self.store = store
        self.turns = Turns()
        store.take_place(self.turns)
        self.tokens = Tokens(store, self.turns)
        self.configuration = configuration
        self._admission = Admission(threads, self.turns)
        self._on_call = on_call
        self._sessions = Sessions(store.owner)
        self._lock = threading.Lock()
        self._endpoints: dict[str, Endpoint] = {}
        self._retired: list[tuple[float, Endpoint]] = []
        self._stop = threading.Event()
        self._repairer: threading.Thread | None = None
        self._repairs: dict[str, threading.Thread] = {}
        """Of each connector one at most, so that a target that hangs holds up nobody else's."""
        self._replace_endpoints(configuration)

    @classmethod
    def open(cls, configuration: Configuration, *, threads: int = 32, on_call: OnCall | None = None) -> Host:
        """Open the store and prepare every connector; no target is asked. `on_call` is told of each call of one."""
        return cls(configuration, Store.open(configuration.state_dir), threads=threads, on_call=on_call)

    def close(self) -> None:
        """Stop the repair thread, close every connector and the store; call it when no request is under way."""
        self._stop.set()
        until = time.monotonic() + CLOSE_SECONDS
        if self._repairer is not None:
            self._repairer.join(CLOSE_SECONDS)
        for thread in self._repairs.values():
            thread.join(max(0.0, until - time.monotonic()))
        with self._lock:
            endpoints = [*self._endpoints.values(), *(endpoint for _, endpoint in self._retired)]
            self._endpoints, self._retired = {}, []
        for endpoint in endpoints:
            endpoint.target.close()
        self.store.close()

    def reload(self, configuration: Configuration) -> None:
        """Take a new configuration over; connectors whose document did not change go on as they are."""
        self._replace_endpoints(configuration)
        self.configuration = configuration

    def names(self) -> list[str]:
        """Return the connectors' names as written."""
        return [endpoint.name for endpoint in self._endpoints.values()]

    def has(self, name: str) -> bool:
        """Tell whether there is a connector of this name, in any case."""
        return name.casefold() in self._endpoints

    def endpoint(self, name: str) -> Endpoint | None:
        """Return the connector of this name, in any case, or None."""
        return self._endpoints.get(name.casefold())

    def target(self, name: str) -> Target:
        """Return the target of an existing connector."""
        return self._endpoints[name.casefold()].target

    def waiting(self) -> dict[str, int]:
        """Return how many threads of this process wait for targets, by connector."""
        return self._admission.waiting()

    def start_background(self) -> None:
        """Start the thread that repairs the journal entries of dead processes."""
        if self._repairer is None:
            self._repairer = threading.Thread(target=self._repair_forever, name="repair", daemon=True)
            self._repairer.start()

    def _replace_endpoints(self, configuration: Configuration) -> None:
        old = self._endpoints
        new: dict[str, Endpoint] = {}
        for key, document in configuration.connectors.items():
            kept = old.get(key)
            if kept is not None and kept.document == document and kept.name == configuration.names[key]:
                new[key] = kept
                continue
            target = Target(
                configuration.names[key],
                configuration,
                self.store,
                admission=self._admission,
                sessions=self._sessions,
                turns=self.turns,
                on_call=self._on_call,
            )
            new[key] = Endpoint(target)
        with self._lock:
            self._endpoints = new
            retired = [endpoint for key, endpoint in old.items() if new.get(key) is not endpoint]
            self._retired += [(time.monotonic() + CLOSE_DELAY, endpoint) for endpoint in retired]

    def _repair_forever(self) -> None:
        while not self._stop.wait(REPAIR_INTERVAL):
            try:
                self._begin_repairs()
                self._close_retired()
            except StoreError as exc:
                log.error("repair_failed", reason=str(exc))  # noqa: TRY400 - the reason says it all; tried again in a second
            except Exception:  # whatever it was, such as too many open files: the next round tries again
                log.exception("repair_failed")

    def _begin_repairs(self) -> None:
        if not self.store.journal.unfinished():
            return
        for key, endpoint in list(self._endpoints.items()):
            running = self._repairs.get(key)
            if (running is None or not running.is_alive()) and self.store.journal.unfinished(key):
                name = f"repair {endpoint.name}"
                thread = self._repairs[key] = threading.Thread(
                    target=self._repair_one, args=(endpoint,), name=name, daemon=True
                )
                thread.start()

    def _repair_one(self, endpoint: Endpoint) -> None:
        try:
            endpoint.recovery.repair_all(self._stop.is_set)
        except StoreError as exc:
            log.error("repair_failed", connector=endpoint.name, reason=str(exc))  # noqa: TRY400 - tried again in a second
        except Exception:  # whatever it was: the next round tries again
            log.exception("repair_failed", connector=endpoint.name)

    def repair(self) -> int:
        """Try to settle every open entry that nobody works on; return how many are left."""
        if not self.store.journal.unfinished():
            return 0
        return sum(endpoint.recovery.repair_all(self._stop.is_set) for endpoint in list(self._endpoints.values()))

    def _close_retired(self) -> None:
        now = time.monotonic()
        with self._lock:
            due = [endpoint for at, endpoint in self._retired if at <= now]
            self._retired = [(at, endpoint) for at, endpoint in self._retired if at > now]
        for endpoint in due:
            endpoint.target.close()


@contextmanager
def opened(configuration: Configuration, *, threads: int = 8) -> Iterator[Host]:
    """Open a host for a command and close it again."""
    host = Host.open(configuration, threads=threads)
    try:
        yield host
    finally:
        host.close()
