"""Full import: complete, in pages, only what was asked."""

from __future__ import annotations

from collections import Counter

from isthmus.spi import (
    AttributeChange,
    Columnar,
    ConnectorObject,
    ImportScope,
    MisconfiguredConnector,
    Operation,
    Unsupported,
)
from isthmus.testing.choice import text, unknown_name
from isthmus.testing.hooks import Hooks
from isthmus.testing.subject import Subject
from isthmus.testing.values import same

SOME = 7


class FullImport(Hooks):
    def test_import_is_complete(self, subject: Subject) -> None:
        created = [subject.create() for _ in range(SOME)]
        seen = subject.imported()
        missing = [o.identity.anchor.values for o in created if o.identity.anchor.values not in seen]
        assert not missing, f"not imported: {missing}"
        names = set(subject.scope.object_types)
        for page in subject.pages():
            assert {o.object_type for o in page.objects} <= names, "an object of a type that is not in the scope"
            assert not page.deleted, "a full import yields objects, not deletions"

    def test_import_equals_read(self, subject: Subject) -> None:
        created = [subject.create() for _ in range(3)]
        seen = subject.imported()
        for each in created:
            imported = seen[each.identity.anchor.values]
            assert imported.identity == each.identity
            found = subject.read_there(each)
            absent = set(subject.readable) - (set(imported.attributes) & set(found.attributes))
            assert not absent, f"asked for, but absent: {sorted(absent)}"
            for name in subject.readable:
                got, read = imported.attributes[name], found.attributes[name]
                assert same(got, read), f"{name}: imported {got!r}, read {read!r}"

    def test_pages_keep_their_size(self, subject: Subject) -> None:
        anchors = {subject.create().identity.anchor.values for _ in range(SOME)}
        for page_size in (1, 2, 3, SOME, 1000):
            counted: Counter[tuple[str, ...]] = Counter()
            for page in subject.pages(page_size=page_size):
                assert len(page.objects) <= page_size, f"a page of {len(page.objects)} with page_size={page_size}"
                counted.update(o.identity.anchor.values for o in page.objects if o.object_type == self.object_type)
            assert anchors <= set(counted), f"incomplete with page_size={page_size}: {anchors - set(counted)}"
            assert all(n == 1 for n in counted.values()), f"twice in a quiet target with page_size={page_size}"

    def test_import_of_nothing_created_is_unchanged(self, subject: Subject) -> None:
        """Two imports of a quiet target give the same objects."""
        subject.create()
        first, second = subject.imported(), subject.imported(page_size=2)
        assert first.keys() == second.keys()
        for key, one in first.items():
            assert all(same(second[key].attributes[n], v) for n, v in one.attributes.items())

    def test_objects_by_column_are_those_one_by_one(self, subject: Subject) -> None:
        """A page that gives its objects by column gives the same as without; others have nothing to show."""
        for _ in range(SOME):
            subject.create()
        for page in subject.pages():
            if not isinstance(page.objects, Columnar):
                continue
            whole = range(len(page.objects))
            for chosen in (list(whole), list(whole)[::-2]):
                columns = page.objects.columns(chosen)
                if columns is None:
                    continue
                objects = [page.objects[n] for n in chosen]
                assert all(each.identity.dn is None for each in objects), "by column, though there is a dn"
                assert [each.identity.anchor.values for each in objects] == list(columns.anchors)
                for n, each in enumerate(objects):
                    assert set(columns.values) == set(each.attributes), "other attributes by column than one by one"
                    for name, values in each.attributes.items():
                        found = columns.values[name][n]
                        assert same(() if found is None else (found,), values), (
                            f"{name}: by column {found!r}, else {values!r}"
                        )

    def test_import_reads_only_what_is_asked(self, subject: Subject) -> None:
        created = subject.create()
        secret = {a.name for a in subject.object_type.attributes if a.secret}
        for asked in ((), *((name,) for name in subject.readable)):
            imported = subject.imported(attributes=asked)[created.identity.anchor.values]
            unasked = set(imported.attributes) - set(asked) - set(subject.object_type.anchor)
            assert not unasked, f"asked for {asked}, imported {sorted(unasked)} as well"
            assert set(asked) <= set(imported.attributes), f"asked for {asked}, but it is absent"
        assert not secret & set(subject.imported()[created.identity.anchor.values].attributes), "a secret was imported"

    def test_import_of_unknown_attribute_is_refused(self, subject: Subject) -> None:
        subject.create()
        name = unknown_name(subject)
        refused = (MisconfiguredConnector, Unsupported)
        subject.refused(refused, "import of an unknown attribute", subject.imported, attributes=(name,))

    def test_import_of_unknown_scope_is_refused(self, subject: Subject) -> None:
        """An empty import of a scope that is not there would remove everything the host knows of it."""
        connector, call = subject.the_full_import, subject.call()
        scope = ImportScope("no such scope", ("no such type",))
        subject.refused(
            (MisconfiguredConnector, Unsupported),
            "import of an unknown scope",
            lambda: list(connector.import_full(scope, attributes={"no such type": ()}, page_size=10, call=call)),
        )

    def test_abandoned_import_leaves_the_connector_usable(self, subject: Subject) -> None:
        created = [subject.create() for _ in range(3)]
        for _ in range(3):
            for _ in subject.pages(page_size=1):
                break
        assert all(subject.read(o) is not None for o in created)
        assert {o.identity.anchor.values for o in created} <= set(subject.imported())

    def test_two_imports_at_once(self, subject: Subject) -> None:
        anchors = {subject.create().identity.anchor.values for _ in range(SOME)}
        other = subject.open()
        seen: tuple[set[tuple[str, ...]], set[tuple[str, ...]]] = (set(), set())
        runs = [subject.pages(page_size=2), subject.pages(page_size=3, connector=other)]
        for run, found in zip([*runs, *runs] * (SOME * 100), [*seen, *seen] * (SOME * 100), strict=True):
            page = next(run, None)
            if page is not None:
                found.update(o.identity.anchor.values for o in page.objects)
        assert anchors <= seen[0]
        assert anchors <= seen[1]

    def test_import_during_writes_misses_nothing_unchanged(self, subject: Subject) -> None:
        """What exists unchanged during the whole run is yielded, whatever happens to the others meanwhile."""
        name = text(subject).name
        steady: list[ConnectorObject] = []
        victims: list[ConnectorObject] = []
        for _ in range(SOME):
            victims.append(subject.create())
            steady.append(subject.create())
        writer = subject.open()
        seen: set[tuple[str, ...]] = set()
        for page in subject.pages(page_size=2):
            seen.update(o.identity.anchor.values for o in page.objects)
            if victims and Operation.DELETE in subject.object_type.operations:
                subject.delete(victims.pop(0), connector=writer)
            if victims and Operation.UPDATE in subject.object_type.operations:
                subject.update(victims.pop(), AttributeChange(name, replace=("meanwhile",)), connector=writer)
            if len(seen) < SOME * 20:
                subject.create(connector=writer)
        missed = [o.identity.anchor.values for o in steady if o.identity.anchor.values not in seen]
        assert not missed, f"existed unchanged during the run but were not imported: {missed}"

    def test_changes_behind_our_back_are_imported(self, subject: Subject) -> None:
        writer = subject.needs_hook("other_writer", self.other_writer(subject.settings))
        name = text(subject).name
        before = set(subject.imported())
        attributes = subject.attributes()
        writer.create(attributes)
        new = {k: v for k, v in subject.imported().items() if k not in before}
        assert len(new) == 1, f"one object was added by somebody else, imported: {sorted(new)}"
        (added,) = new.values()
        subject.remember(added)
        assert subject.read_there(added).identity == added.identity
        assert same(added.attributes[name], attributes[name])
        writer.update(added, name, ("changed",))
        assert subject.read_there(added).attributes[name] == ("changed",)
        assert subject.imported()[added.identity.anchor.values].attributes[name] == ("changed",)
        writer.delete(added)
        assert subject.read(added) is None
        assert added.identity.anchor.values not in subject.imported()
