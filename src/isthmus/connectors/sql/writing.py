"""Writing: the statements of a plan, over one connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from isthmus.connectors.sql.child_writing import ChildWriter
from isthmus.connectors.sql.columns import Column
from isthmus.connectors.sql.database import Link, Result, Row, Statement
from isthmus.connectors.sql.dependent_statements import DependentStatements
from isthmus.connectors.sql.errors import Failure, Kind
from isthmus.connectors.sql.layout import Layout
from isthmus.connectors.sql.moving import Mover
from isthmus.connectors.sql.planning import Plan
from isthmus.connectors.sql.reading import cannot_be, not_unique, one
from isthmus.connectors.sql.statements import Statements
from isthmus.spi import (
    Call,
    ConnectorError,
    ConnectorObject,
    MisconfiguredConnector,
    NotFound,
    TargetRejected,
    Value,
)


class _Done:
    """Mark errors of a write that has taken effect, though its result cannot be shown."""

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, ConnectorError) and not isinstance(error, NotFound):
            error.outcome_unknown = True


_done = _Done()


@dataclass(frozen=True, slots=True)
class Writer:
    """Sends plans over one connection. One statement by itself where that is enough, else a transaction."""

    layout: Layout
    statements: Statements
    link: Link
    call: Call

    def create(self, plan: Plan) -> ConnectorObject:
        layout = self.layout
        if layout.returns_inserted and not layout.triggers and plan.single:
            result = self._insert(plan, plan.returned)
            if not result.rows:
                raise self._kept_out()
            with _done:
                return self._with_empty(self._written(self._one(plan.returned, result.rows)), plan)
        anchor = layout.anchor if layout.returns_inserted else ()
        self.link.begin(seconds=self._left())
        result = self._insert(plan, anchor)
        if anchor:
            if not result.rows:
                raise self._kept_out()
            key = self._key_in(result.rows[0])
        else:
            key = self._generated(plan, result)
        if plan.children:
            row = result.rows[0] if anchor else self._locked_row(key, plan)
            self._write_children(plan, self._anchor_values(row), new=True)
        return self._with_empty(self._finish(plan, key), plan)

    def _insert(self, plan: Plan, returned: Sequence[Column]) -> Result:
        try:
            return self._run(self.statements.insert(plan.given, returned), plan.bound)
        except Failure as failure:
            if failure.kind is Kind.DUPLICATE:
                columns = set(self.layout.where().columns(failure))
                if columns and columns <= {column.name for column in self.layout.anchor} - {*plan.given}:
                    raise MisconfiguredConnector(
                        f"{self.layout.target}: the database made a key ({', '.join(columns)}) that another row has; "
                        f"its sequence is behind the rows ({failure.code})"
                    ) from failure
            raise

    def update(self, plan: Plan) -> ConnectorObject:
        layout = self.layout
        moves = bool(plan.renamed) and bool(self.statements.dependents)
        if plan.single and not moves:
            return self._update_row(plan)
        self.link.begin(seconds=self._left())
        # Where the row itself is not to change, it is read while it is locked, and never again.
        locked_only = not plan.changes and not layout.triggers
        row = self._locked_row(plan.bound, plan, everything=locked_only)
        before = self._anchor_values(row)
        after = [(plan.renamed or {}).get(n, value) for n, value in enumerate(before)]
        if plan.changes:
            mover = Mover(self.statements, self.link, self._run_shown, before, after) if moves else None
            self._only_one(mover.update(plan, self._left) if mover else self._update_alone(plan), plan.bound)
            if mover:
                mover.finish()
        self._write_children(plan, after, new=False)
        if not locked_only:
            return self._finish(plan, plan.key)
        written = self._with_children(plan, self.statements.decoder(plan.returned)(row), plan.key)
        self.link.commit(seconds=self._left())
        return written

    def _update_row(self, plan: Plan) -> ConnectorObject:
        layout = self.layout
        if not plan.changes:
            result = self._run(self.statements.read(plan.returned), plan.key)
            return self._existing(self._one(plan.returned, result.rows))
        if layout.returns_updated and layout.sure and not layout.triggers:
            result = self._run(self.statements.update(plan.changes, plan.returned), plan.bound)
            if not result.rows:
                raise self._left_alone(plan.bound)
            with _done:
                return self._existing(self._one(plan.returned, result.rows))
        self.link.begin(seconds=self._left())
        told = plan.returned if layout.returns_updated else ()
        result = self._run(self.statements.update(plan.changes, told), plan.bound)
        self._only_one(result, plan.bound)
        if not told:
            return self._finish(plan, plan.key)
        # A trigger may have changed a new name; and by this very change the row may have left the view.
        row = result.rows[0]
        return self._finish(plan, self._key_in(row), row)

    def _update_alone(self, plan: Plan) -> Result:
        return self._run(self.statements.update(plan.changes, ()), plan.bound)

    def delete(self, key: Sequence[Any]) -> None:
        bound = {f"k{n}": value for n, value in enumerate(key)}
        removed = [each for each in self.statements.dependents if each.dependent.removed]
        if removed or self.layout.triggers or not self.layout.sure:
            self._delete_with(bound, removed)
            return
        try:
            count = self._run(self.statements.delete(), bound).count
        except Failure as failure:
            if not self._cannot_be(failure, bound):
                raise
            raise self._not_found() from None
        if count == 0:
            raise self._left_alone(bound)

    def _delete_with(self, bound: Mapping[str, Any], removed: Sequence[DependentStatements]) -> None:
        """Delete an object with the rows of its own and those that refer to it, and let nobody add one meanwhile.

        Where a trigger does something else instead, such as marking the row as deleted, the row's being gone counts.
        """
        self.link.begin(seconds=self._left())
        if removed:
            key = self._anchor_values(self._locked_row(bound, None))
            for each in removed:
                held = each.dependent.bound(key)
                if held is not None:
                    self._run(each.remove(), {f"from_{n}": value for n, value in enumerate(held)})
        elif not self._is_there(bound):
            self.link.rollback(seconds=self._left())
            raise self._not_found()
        result = self._run(self.statements.delete(), bound)
        if result.count > 1 or (result.count == 0 and self._is_there(bound)):
            self._only_one(result, bound)
        self.link.commit(seconds=self._left())

    def _locked_row(self, bound: Mapping[str, Any], plan: Plan | None, *, everything: bool = False) -> Row:
        """Return the object's row, or only its anchor, which nobody else may change before this transaction ends."""
        columns = plan.returned if plan is not None and everything else self.layout.anchor
        try:
            rows = self._run(self.statements.lock(columns), bound).rows
        except Failure as failure:
            if not self._cannot_be(failure, bound):
                raise
            raise self._not_found() from None
        if len(rows) != 1:
            problem = not_unique(self.layout) if rows else self._left_alone(bound)  # a policy may hide it from locks
            self.link.rollback(seconds=self._left())
            raise problem
        return rows[0]

    def _key_in(self, row: Row) -> dict[str, Any]:
        """Return what to bind for the anchor that a row begins with."""
        made = self.statements.decoder(self.layout.anchor)(row[: len(self.layout.anchor)])
        return {f"k{n}": value for n, value in enumerate(self.layout.located(made.identity) or ())}

    def _anchor_values(self, row: Row) -> list[Value]:
        """Return the anchor as it is spelled in its row, which is how other rows are to spell it."""
        values = [column.decode(raw) for column, raw in zip(self.layout.anchor, row, strict=False)]
        return [value for value in values if value is not None]

    def _write_children(self, plan: Plan, key: Sequence[Value], *, new: bool) -> None:
        for change in plan.children:
            statements = self.statements.child(change.child.name)
            writer = ChildWriter(statements, change.child, key, self._run_shown)
            if new:
                writer.insert(change)
            else:
                writer.apply(change)

    def _one(self, columns: Sequence[Column], rows: Sequence[Row]) -> ConnectorObject | None:
        return one(self.layout, rows, self.statements.decoder(columns))

    def _run(self, statement: Statement, bound: Mapping[str, Any]) -> Result:
        return self._run_shown(statement, bound, "")

    def _run_shown(self, statement: Statement, bound: Mapping[str, Any], beside: str | None = "") -> Result:
        """Send a statement; the audit shows it with `beside` after it, or not at all if that is None."""
        if beside is not None:
            self.call.sent(statement.text + beside)
        try:
            return self.link.execute(statement, [bound[name] for name in statement.order], seconds=self._left())
        except Failure as failure:
            failure.text = self._masked(failure.text, bound)
            raise

    def _masked(self, text: str, bound: Mapping[str, Any]) -> str:
        """Return what the database says without secrets: a trigger may quote the values it refuses."""
        for name, column in self.layout.columns.items():
            if column.definition.secret and (value := bound.get(self.statements.parameter(name))):
                text = text.replace(str(value), "***")
        return text

    def _left(self) -> float:
        self.call.check()
        return self.call.remaining()

    def _finish(self, plan: Plan, key: Mapping[str, Any], told: Row | None = None) -> ConnectorObject:
        """Read what is there now, in the same transaction, and commit. `told`: the row as the write left it."""
        rows = self._run(self.statements.read(plan.returned), key).rows
        if not rows and told is not None:
            rows = (told,)
        written = self._with_children(plan, self._written(self._one(plan.returned, rows)), key)
        self.link.commit(seconds=self._left())
        return written

    def _with_children(self, plan: Plan, written: ConnectorObject, key: Mapping[str, Any]) -> ConnectorObject:
        if not plan.shown:
            return written
        values = {
            name: self.layout.children[name].decoded(self._run(self.statements.child(name).of_owner(), key).rows)
            for name in plan.shown
        }
        return replace(written, attributes={**written.attributes, **values})

    def _with_empty(self, written: ConnectorObject, plan: Plan) -> ConnectorObject:
        if not plan.empty:
            return written
        return replace(written, attributes={**dict.fromkeys(plan.empty, ()), **written.attributes})

    def _only_one(self, result: Result, bound: Mapping[str, Any]) -> None:
        if result.count == 1:
            return
        self.link.rollback(seconds=self._left())  # InnoDB shows within a transaction what others have deleted since
        raise not_unique(self.layout) if result.count else self._left_alone(bound)

    def _is_there(self, bound: Mapping[str, Any]) -> bool:
        try:
            return bool(self._run(self.statements.read(self.layout.anchor), bound).rows)
        except Failure as failure:
            if not self._cannot_be(failure, bound):
                raise
            raise self._not_found() from None

    def _cannot_be(self, failure: Failure, bound: Mapping[str, Any]) -> bool:
        """Tell whether a statement failed because no row can have such an anchor; its transaction is over then."""
        if failure.kind is not Kind.BAD_VALUE:
            return False
        if not self.link.quiet():
            self.link.rollback(seconds=self._left())
        return cannot_be(self.statements.read(self.layout.anchor), bound, self.link, self._left())

    def _left_alone(self, bound: Mapping[str, Any]) -> ConnectorError:
        """Return why a statement changed no row: there is none, or something in the database protects it."""
        if not self._is_there(bound):
            return self._not_found()
        return TargetRejected(
            f"{self.layout.target}: the row is there, but the database leaves it as it is and does not say why; "
            "a trigger, a rule or a policy for rows does that"
        )

    def _kept_out(self) -> TargetRejected:
        return TargetRejected(
            f"{self.layout.target}: the database inserts no row and does not say why; a trigger or a rule does that"
        )

    def _not_found(self) -> NotFound:
        return NotFound(f"{self.layout.target} has no such row")

    def _generated(self, plan: Plan, result: Result) -> dict[str, Any]:
        """Return the anchor where the database does not: MySQL tells the number of AUTO_INCREMENT, and nothing else."""
        key = dict(plan.key)
        for n, column in enumerate(self.layout.anchor):
            if key[f"k{n}"] is None:
                if column.name != self.layout.auto_increment or not result.generated:
                    raise MisconfiguredConnector(
                        f"{self.layout.target}: this server does not tell which value it made for {column.name}"
                    )
                key[f"k{n}"] = result.generated
        return key

    def _written(self, written: ConnectorObject | None) -> ConnectorObject:
        if written is None:
            raise MisconfiguredConnector(
                f"{self.layout.target}: the row cannot be read after it was written; a trigger, rule or policy hides it"
            )
        return written

    def _existing(self, updated: ConnectorObject | None) -> ConnectorObject:
        if updated is None:
            raise self._not_found()
        return updated
