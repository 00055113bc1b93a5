"""Run the steps of the full walk in order and judge each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console

from isthmus.demo.client import Answer, Request, ScimClient
from isthmus.demo.full.database import FullDatabase
from isthmus.demo.full.document import ENTERPRISE
from isthmus.demo.full.show import show_step
from isthmus.demo.full.steps import DEVICE, GROUP, SEARCH, FullStep, judge, new_user, patch, step
from isthmus.demo.people import Person
from isthmus.demo.steps import differs

LOGIN, TEAM, SERIAL = "mstone-demo", "Night shift", "DEMO-0001"
_IMPORT_SECONDS = 120.0


class FullWalk:
    """The walk of one full demo. `differences` counts what was not as it should be."""

    def __init__(
        self, console: Console, client: ScimClient, database: FullDatabase, *, base: str, existing: Person
    ) -> None:
        self._console = console
        self._client = client
        self._database = database
        self._base = base
        self._boss = existing.login
        self._number = 0
        self.differences = 0

    def run(self) -> None:
        """Take all steps; those that need an id that no answer gave are told as a difference and end the walk."""
        counts = self._database.counts()
        boss = self._client.send(Request("GET", "/Users", filter=f'userName eq "{self._boss}"')).resources
        mara = self._id(self._take(self._create_user()))
        if not boss or mara is None:
            self._differ("without the ids of both people the walk cannot go on")
            return
        self._follow_user(mara, str(boss[0]["id"]))
        team = self._id(self._take(self._create_team(str(boss[0]["id"]))))
        device = self._id(self._take(self._create_device(mara)))
        if team is None or device is None:
            self._differ("without the ids of group and device the walk cannot go on")
            return
        self._follow_team(team, mara)
        self._take(self._devices_of(mara))
        self._search()
        self._clean(mara, team, device)
        for problem in differs("the number of rows at the end", self._database.counts(), counts):
            self._differ(problem)

    def _create_user(self) -> FullStep:
        mails = [
            {"value": f"{LOGIN}@contoso.example", "kind": "work", "is_primary": True},
            {"value": f"{LOGIN}@home.example", "kind": "home"},
        ]
        return step(
            "Create a person with two e-mail addresses and a postal one",
            "one request, four rows in three tables, one transaction",
            Request("POST", "/Users", body=new_user(LOGIN)),
            "people", "emails", "addresses",
            login=LOGIN,
            status=201,
            come={
                "people": [{"login": LOGIN, "family_name": "Stone", "department": "Research", "manager": None}],
                "emails": mails,
                "addresses": [{"street": "7 Mill Lane", "city": "Leeds", "kind": "work"}],
            },
            result="person, e-mails and address are there",
        )  # fmt: skip

    def _follow_user(self, mara: str, boss: str) -> None:
        path, manager = f"/Users/{mara}", f"{ENTERPRISE}:manager"
        old, new = f"{LOGIN}@home.example", "mara@home.example"

        def one(mail: str, /) -> dict[str, list[dict[str, Any]]]:
            return {"emails": [{"value": mail, "kind": "home"}]}

        def row(boss: str | None, /) -> dict[str, list[dict[str, Any]]]:
            return {"people": [{"login": LOGIN, "manager": boss}]}

        self._take(
            step(
                "Change one of the e-mail addresses",
                "the path chooses it by its type; the other is not touched",
                patch(path, {"op": "replace", "path": 'emails[type eq "home"].value', "value": new}),
                "emails",
                login=LOGIN,
                gone=one(old),
                come=one(new),
                result="one row replaced",
            )
        )
        self._take(
            step(
                "Set the manager",
                "a reference is sent as an id and kept as the target's own key",
                patch(path, {"op": "add", "path": manager, "value": {"value": boss}}),
                "people",
                login=LOGIN,
                gone=row(None),
                come=row(self._boss),
                check=lambda answer: differs("manager", answer.body[ENTERPRISE]["manager"]["value"], boss),
                result=f"the column holds {self._boss}, the answer the id",
            )
        )
        self._take(
            step(
                "Clear the manager",
                "the reference goes, the manager stays",
                patch(path, {"op": "remove", "path": manager}),
                "people",
                login=LOGIN,
                gone=row(self._boss),
                come=row(None),
                result="the column is NULL",
            )
        )

    def _create_team(self, boss: str) -> FullStep:
        member = {"team": TEAM, "login": self._boss}
        return FullStep(
            title="Create a group with a member",
            why="the group is a row, each member another",
            request=Request(
                "POST", "/Groups", body={"schemas": [GROUP], "displayName": TEAM, "members": [{"value": boss}]}
            ),
            watched=(("teams", {"name": TEAM}), ("team_members", {"team": TEAM})),
            status=201,
            gone={},
            come={"teams": [{"name": TEAM}], "team_members": [member]},
            result="one team, one membership",
        )

    def _create_device(self, owner: str) -> FullStep:
        body = {"schemas": [DEVICE], "serial": SERIAL, "model": "Slate 11", "memory_gb": 8, "owner": {"value": owner}}
        return step(
            "Create a device that has an owner",
            "a resource type of its own: every column under its own name, the owner a reference",
            Request("POST", "/Devices", body=body),
            "devices",
            login=LOGIN,
            status=201,
            come={"devices": [{"serial": SERIAL, "memory_gb": 8, "owner": LOGIN}]},
            check=lambda answer: differs("owner", answer.body["owner"]["value"], owner),
            result="one row that names its owner",
        )

    def _follow_team(self, team: str, mara: str) -> None:
        path, membership = f"/Groups/{team}", {"team_members": [{"team": TEAM, "login": LOGIN}]}
        watched = (("team_members", {"team": TEAM}),)
        self._take(
            FullStep(
                title="Add a member",
                why="one INSERT, however large the group; the answer is 204, without members",
                request=patch(path, {"op": "add", "path": "members", "value": [{"value": mara}]}),
                watched=watched,
                status=204,
                gone={},
                come=membership,
                result="one membership more",
            )
        )
        self._take(
            step(
                "The groups of a person",
                "computed from the memberships, in no column of the person",
                Request("GET", f"/Users/{mara}"),
                "people",
                login=LOGIN,
                check=lambda answer: differs("groups", [each["value"] for each in answer.body["groups"]], [team]),
                result=f"groups names {TEAM}",
            )
        )
        self._take(
            FullStep(
                title="Remove the member",
                why="one DELETE; who else is a member is not looked at",
                request=patch(path, {"op": "remove", "path": f'members[value eq "{mara}"]'}),
                watched=watched,
                status=204,
                gone=membership,
                come={},
                result="one membership less",
            )
        )

    def _devices_of(self, mara: str) -> FullStep:
        def check(answer: Answer) -> Iterator[str]:
            yield from differs("serials", [each["serial"] for each in answer.resources], [SERIAL])

        return step(
            "The devices of a person",
            "a filter on a reference takes the id",
            Request("GET", "/Devices", filter=f'owner.value eq "{mara}"'),
            "devices",
            login=LOGIN,
            check=check,
            result="one device",
        )

    def _search(self) -> None:
        if not self._imported():
            self._differ(f"the first import did not end within {_IMPORT_SECONDS:.0f} s")
            return
        body = {"schemas": [SEARCH], "attributes": ["userName"], "sortBy": "userName", "count": 2, "cursor": ""}
        first = self._take(self._page("Search, sorted, two at a time", body, []))
        cursor, seen = first.body.get("nextCursor"), [each.get("userName") for each in first.resources]
        if cursor is not None:
            self._take(self._page("The next page", {**body, "cursor": cursor}, seen))

    def _imported(self) -> bool:
        """Wait for the first import: a list shows what is in the connector space."""
        until, people = time.monotonic() + _IMPORT_SECONDS, self._database.counts()["people"]
        while self._client.send(Request("GET", "/Users?count=0")).body.get("totalResults") != people:
            if time.monotonic() > until:
                return False
            time.sleep(0.05)  # between two questions, bounded by the deadline above
        return True

    def _page(self, title: str, body: dict[str, Any], seen: list[Any]) -> FullStep:
        def check(answer: Answer) -> Iterator[str]:
            names = [each["userName"] for each in answer.resources]
            everybody = sorted(each["login"] for each in self._database.rows("people"))
            yield from differs("the page", names, everybody[len(seen) : len(seen) + 2])

        return FullStep(
            title=title,
            why="POST /Users/.search with a cursor: each person comes exactly once",
            request=Request("POST", "/Users/.search", body=body),
            gone={},
            come={},
            check=check,
            result="in order, nobody twice",
        )

    def _clean(self, mara: str, team: str, device: str) -> None:
        before = {table: self._database.rows(table, login=LOGIN) for table in ("people", "emails", "addresses")}
        self._take(
            step(
                "Delete the person",
                "what belongs to a person goes with the person; a device loses its owner",
                Request("DELETE", f"/Users/{mara}"),
                "people",
                "emails",
                "addresses",
                "devices",
                login=LOGIN,
                status=204,
                gone={**before, "devices": [{"serial": SERIAL}]},
                result="no row of the person is left",
            )
        )
        for title, path, table, key in (
            ("Delete the group", f"/Groups/{team}", "teams", {"name": TEAM}),
            ("Delete the device", f"/Devices/{device}", "devices", {"serial": SERIAL}),
        ):
            self._take(
                FullStep(
                    title=title,
                    why="and the tables are as they were",
                    request=Request("DELETE", path),
                    watched=((table, key),),
                    status=204,
                    gone={table: [key]},
                    come={},
                    result="gone",
                )
            )

    def _take(self, step: FullStep) -> Answer:
        self._number += 1
        before = self._watch(step)
        answer = self._client.send(step.request)
        after = self._watch(step)
        problems = list(judge(step, answer, before, after))
        self.differences += len(problems)
        show_step(self._console, self._number, step, answer, before, after, problems, base=self._base)
        return answer

    def _watch(self, step: FullStep) -> dict[str, list[dict[str, Any]]]:
        return {table: self._database.rows(table, **wanted) for table, wanted in step.watched}

    def _id(self, answer: Answer) -> str | None:
        found = answer.body.get("id")
        return found if isinstance(found, str) else None

    def _differ(self, problem: str) -> None:
        self.differences += 1
        self._console.print(f"✗ {problem}", style="bold red", markup=False)
