"""Run the steps in order and judge each."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from rich.console import Console

from isthmus.demo import people, steps
from isthmus.demo.client import ScimClient
from isthmus.demo.people import Person
from isthmus.demo.show import show_step
from isthmus.demo.steps import Outcome, Step, differs
from isthmus.demo.table import PeopleTable

_NOBODY = str(UUID(int=0x5EED << 64, version=4))


class Walk:
    """The walk of one demo. `differences` counts what was not as it should be."""

    def __init__(
        self, console: Console, client: ScimClient, table: PeopleTable, *, base: str, existing: Person
    ) -> None:
        self._console = console
        self._client = client
        self._table = table
        self._base = base
        self._existing = existing
        self._number = 0
        self.differences = 0

    def run(self) -> None:
        """Take all nine steps; a step that differs does not stop those after it, unless they need its id."""
        new = people.person("Mara", "Stone", "mstone", seed=2)
        other = people.person("Sven", "Latecomer", "slatecomer", seed=3)
        rows = self._table.count()
        self._take(steps.test_connection(_NOBODY))
        self._take(steps.match(self._existing))
        created = self._take(steps.create(new))
        made = created.answer.body.get("id")
        if isinstance(made, str):
            self._follow(made, new)
        self._take(steps.duplicate(self._existing))
        self._take(steps.behind_our_back(other, self._table.insert))
        # Created and deleted one, added one behind our back, and nothing else may have happened to the table.
        self._judge(list(differs("the number of rows at the end", self._table.count(), rows + 1)))

    def _follow(self, id: str, person: Person) -> None:
        follow: tuple[Callable[[], Step], ...] = (
            lambda: steps.update_with_paths(id, person, last_name="Stone-Keller", email="mara.keller@contoso.example"),
            lambda: steps.update_without_path(id, person, first_name="Marah", text_id="T007"),
            lambda: steps.disable(id, person),
            lambda: steps.delete(id, person),
        )
        for make in follow:
            self._take(make())

    def _take(self, step: Step) -> Outcome:
        self._number += 1
        before = self._table.row(step.login)
        if step.prepare is not None:
            step.prepare()
        answer = self._client.send(step.request)
        outcome = Outcome(answer, before, self._table.row(step.login))
        problems = list(step.check(outcome))
        self.differences += len(problems)
        show_step(self._console, self._number, step, outcome, problems, base=self._base)
        return outcome

    def _judge(self, problems: list[str]) -> None:
        self.differences += len(problems)
        for problem in problems:
            self._console.print(f"✗ {problem}", style="bold red", markup=False)
