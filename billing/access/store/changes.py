"""Changing rows: every change is written down in the audit log by the same transaction, or did not happen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, bindparam, select
from sqlalchemy.exc import IntegrityError

from billing.access.ids import Ids
from billing.access.models import Deed
from billing.access.rules import BY_MAX
from billing.access.store.columns import to_json
from billing.access.store.database import Database, first_line
from billing.access.store.tables import AUDIT

BATCH = 5000
"""Rows of one statement: what a bulk import holds twice."""
REVISION = "revision"
"""A column of this name counts the changes of its row."""
_KEYS_ASKED = 500


class UnableToChange(Exception):
    """A row is there already, refers to what is not there, or breaks a rule of its table."""


class ChangedMeanwhile(UnableToChange):
    """Somebody else changed a row since it was read: read it again."""


@dataclass(frozen=True, slots=True)
class Changes:
    """One transaction of one person.

    Attributes:
        connection: to read with. by: who. at: when, by the tenant's clock; recorded_at: by the machine's (microseconds UTC).
        ids: makes identifiers.
    """

    connection: Connection
    by: str
    at: int
    recorded_at: int
    ids: Ids

    def insert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows; each names the same columns.

        Raises:
            UnableToChange: when one is there already, or refers to what is not there.
        """
        for part in _parts(rows):
            try:
                self.connection.execute(table.insert(), part)
            except IntegrityError as error:
                raise UnableToChange(f"{table.name}: {first_line(error)}") from error
            self._log(Deed.CREATED, table, [({}, row) for row in part])

    def update(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
        """Change rows: each names its key, and the same columns with what they become; return how many were changed.

        Rows that are so already are left alone, and leave no trace. A row that names its `revision` is changed only if it
        still has that one.

        Raises:
            UnableToChange: when there is no such row, or the change breaks a rule of the table.
            ChangedMeanwhile: when a row has another revision by now.
        """
        changed = 0
        for part in _parts(rows):
            changed += self._update(table, part)
        return changed

    def _update(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
        (name,) = (column.name for column in table.primary_key)
        counted = REVISION in table.c
        held = self._rows(table, [row[name] for row in rows])
        logged, values = [], []
        for row in rows:
            before = held.get(row[name])
            if before is None:
                raise UnableToChange(f"there is no {table.name} {row[name]}")
            if counted and row.get(REVISION, before[REVISION]) != before[REVISION]:
                raise ChangedMeanwhile(f"{table.name} {row[name]} was changed meanwhile: read it again")
            new = {column: value for column, value in row.items() if column not in (name, REVISION)}
            differing = {column: value for column, value in new.items() if before[column] != value}
            if not differing:
                continue
            values.append(new | {f"k_{name}": row[name]} | ({f"k_{REVISION}": before[REVISION]} if counted else {}))
            old = {column: before[column] for column in differing}
            logged.append(({name: row[name], **old}, {name: row[name], **differing}))
        if not values:
            return 0
        changing = table.update().where(table.c[name] == bindparam(f"k_{name}"))
        if counted:
            changing = changing.where(table.c[REVISION] == bindparam(f"k_{REVISION}"))
            changing = changing.values({table.c[REVISION]: table.c[REVISION] + 1})
        try:
            done = self.connection.execute(changing, values)
        except IntegrityError as error:
            raise UnableToChange(f"{table.name}: {first_line(error)}") from error
        if 0 <= done.rowcount != len(values):
            raise ChangedMeanwhile(f"rows of {table.name} were changed meanwhile: read them again")
        self._log(Deed.CHANGED, table, logged)
        return len(values)

    def count(self, table: Table, key: str, revision: int) -> None:
        """Count one more revision of a row of which something changed that is kept elsewhere, and told there.

        Raises:
            ChangedMeanwhile: when it has another revision by now.
        """
        (name,) = table.primary_key
        counting = table.update().where(name == key, table.c[REVISION] == revision)
        done = self.connection.execute(counting.values({table.c[REVISION]: table.c[REVISION] + 1}))
        if done.rowcount == 0:
            raise ChangedMeanwhile(f"{table.name} {key} was changed meanwhile: read it again")

    def remove(self, table: Table, keys: Sequence[str]) -> None:
        """Remove rows.

        Raises:
            UnableToChange: when there is no such row, or others refer to it.
        """
        (name,) = (column.name for column in table.primary_key)
        held = self._rows(table, keys)
        if missing := [asked for asked in keys if asked not in held]:
            raise UnableToChange(f"there is no {table.name} {missing[0]}")
        try:
            self.connection.execute(
                table.delete().where(table.c[name] == bindparam("k")), [{"k": asked} for asked in keys]
            )
        except IntegrityError as error:
            raise UnableToChange(f"{table.name}: {first_line(error)}") from error
        self._log(Deed.REMOVED, table, [(held[asked], {}) for asked in keys])

    def note(self, entity: str, key: str, told: Mapping[str, Any]) -> None:
        """Write down in the audit log what was decided about something that is kept elsewhere; nothing personal is `told`."""
        row = {
            "id": self.ids.new("aud"),
            "at": self.at,
            "recorded_at": self.recorded_at,
            "by": self.by,
            "deed": Deed.CHANGED.value,
            "entity": entity,
            "key": key,
            "before": to_json({}),
            "after": to_json(dict(told)),
        }
        self.connection.execute(AUDIT.insert(), [row])

    def _rows(self, table: Table, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return rows by key; PostgreSQL's are locked until the transaction ends."""
        (name,) = (column.name for column in table.primary_key)
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(keys), _KEYS_ASKED):
            asked = select(table).where(table.c[name].in_(keys[start : start + _KEYS_ASKED])).with_for_update()
            found |= {row[name]: dict(row) for row in self.connection.execute(asked).mappings()}
        return found

    def _log(self, deed: Deed, table: Table, pairs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> None:
        (name,) = (column.name for column in table.primary_key)
        hidden = {column.name for column in table.c if column.info.get("masked")}
        rows = [
            {
                "id": self.ids.new("aud"),
                "at": self.at,
                "recorded_at": self.recorded_at,
                "by": self.by,
                "deed": deed.value,
                "entity": table.name,
                "key": (after or before)[name],
                "before": to_json(_shown(before, hidden)),
                "after": to_json(_shown(after, hidden)),
            }
            for before, after in pairs
        ]
        if rows:
            self.connection.execute(AUDIT.insert(), rows)


def _shown(row: Mapping[str, Any], hidden: set[str]) -> Mapping[str, Any]:
    if hidden.isdisjoint(row):
        return row
    return {name: masked_text(value) if name in hidden else value for name, value in row.items()}


def masked_text(value: str | None) -> str | None:
    """Return the last four characters of a text behind dots; nothing of a text that has no more than eight."""
    return None if value is None else f"…{value[-4:]}" if len(value) > 8 else "…"


def _parts(rows: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))


@contextmanager
def changing(database: Database, *, by: str, clock: Callable[[], tuple[int, int]], entropy: bytes) -> Iterator[Changes]:
    """Yield the changes of one transaction, kept whole with their audit log when the block ends.

    Args:
        by: who changes. entropy: `ids.ENTROPY_BYTES` of chance.
        clock: when, by the tenant's clock and by the machine's; read once no other writer is before this one, so that the
            order of the audit log is that of the changes.

    Raises:
        UnableToChange: when nobody is named.
        UnableToOpenDatabase: when the database does not answer.
    """
    if not by.strip() or len(by) > BY_MAX:
        raise UnableToChange(f"a change has an author, of at most {BY_MAX} characters")
    with database.writing() as connection:
        at, recorded_at = clock()
        # identifiers sort by the machine's clock: the tenant's may stand still, or lie before 1970
        yield Changes(connection, by, at, recorded_at, Ids(recorded_at, entropy))
