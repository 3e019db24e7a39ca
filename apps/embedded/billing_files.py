"""The files of billing runs: a frozen plan, and drafts in parts, each whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa

from apps.embedded.files import sha256_of
from pipelines.spool.files import durable_file, sync_directory, write_durably
from schemas.invoicing import PART_FILES, RunPlan

RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
PLAN, CANCELLED, WITHOUT = "plan.json", "cancelled.json", "without.json"


class UnableToBillRun(Exception):
    """A step of a billing run cannot be done; what was done before stays as it is."""


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The directory of one run."""

    path: Path

    @classmethod
    def of(cls, billing: Path, run: str) -> RunFiles:
        """Return the directory of a run.

        Raises:
            UnableToBillRun: when that is no key of a run.
        """
        if not RUN.fullmatch(run):
            raise UnableToBillRun(f'"{run}" is no key of a run: use up to 64 letters, digits and . _ -')
        return cls(billing / run)

    @property
    def planned(self) -> bool:
        """Whether there is a plan."""
        return (self.path / PLAN).exists()

    @property
    def validating(self) -> bool:
        """Whether validating began, so that what it leaves out is decided."""
        return (self.path / WITHOUT).exists()

    @property
    def cancelled(self) -> bool:
        """Whether the run was cancelled."""
        return (self.path / CANCELLED).exists()

    def plan(self) -> RunPlan:
        """Return the plan.

        Raises:
            UnableToBillRun: when there is none.
        """
        try:
            return RunPlan.model_validate_json((self.path / PLAN).read_bytes())
        except FileNotFoundError:
            raise UnableToBillRun(
                f'there is no billing run "{self.path.name}": `octroi bill run plan` makes one'
            ) from None

    def keep_plan(self, plan: RunPlan) -> None:
        """Freeze a plan."""
        self.path.mkdir(parents=True, exist_ok=True)
        sync_directory(self.path.parent)
        write_durably(self.path / PLAN, plan.model_dump_json(indent=1).encode())

    def cancel(self, reason: str) -> None:
        """Say that the run is cancelled, and drop its drafts."""
        write_durably(self.path / CANCELLED, json.dumps({"reason": reason}).encode())
        for path in sorted(self.path.glob("part-*")):
            path.unlink()

    def without(self, accounts: tuple[str, ...]) -> tuple[str, ...]:
        """Return the accounts that validating leaves out, and keep them when it begins.

        Raises:
            UnableToBillRun: when others were named before.
        """
        path = self.path / WITHOUT
        if path.exists():
            held = tuple(json.loads(path.read_bytes()))
            if accounts and tuple(sorted(accounts)) != held:
                raise UnableToBillRun(f"validating began without {', '.join(held) or 'leaving anything out'}: go on so")
            return held
        write_durably(path, json.dumps(sorted(accounts)).encode())
        return tuple(sorted(accounts))

    def _manifest(self, plan: RunPlan, part: int) -> Path:
        return self.path / f"part-{part:05}.{digest(plan)[:16]}.json"

    def done(self, plan: RunPlan) -> list[int]:
        """Return the parts that are drafted."""
        return [part for part in range(plan.parts) if self._manifest(plan, part).exists()]

    def keep_part(self, plan: RunPlan, part: int, tables: Mapping[str, pa.Table]) -> None:
        """Keep the drafts of a part: files first, then what says that they are whole."""
        hashes = {}
        for name, schema in PART_FILES.items():
            path = self._manifest(plan, part).with_suffix(f".{name}.arrow")
            keep_table(path, tables[name].cast(schema))
            hashes[name] = sha256_of(path, path.stat().st_size)
        write_durably(self._manifest(plan, part), json.dumps(hashes).encode())

    def part(self, plan: RunPlan, part: int) -> dict[str, pa.Table]:
        """Return the drafts of a part.

        Raises:
            UnableToBillRun: when they are not there, or damaged.
        """
        try:
            hashes = json.loads(self._manifest(plan, part).read_bytes())
            found = {}
            for name in PART_FILES:
                path = self._manifest(plan, part).with_suffix(f".{name}.arrow")
                if sha256_of(path, path.stat().st_size) != hashes[name]:
                    raise UnableToBillRun(
                        f"{path} is damaged: remove {self._manifest(plan, part)} and execute the run again"
                    )
                found[name] = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        except FileNotFoundError:
            raise UnableToBillRun(f'part {part} of the run "{plan.run}" is not drafted: execute it first') from None
        return found

    def parts(self, plan: RunPlan) -> Iterator[tuple[int, dict[str, pa.Table]]]:
        """Yield all parts."""
        return ((part, self.part(plan, part)) for part in range(plan.parts))


def decided_runs(billing: Path) -> list[str]:
    """Return the files that say what was decided about runs, drafts left out: those are made again. None ever changes."""
    names = (PLAN, CANCELLED, WITHOUT)
    return sorted(f"{path.parent.name}/{path.name}" for name in names for path in billing.glob(f"*/{name}"))


def digest(plan: RunPlan) -> str:
    """Return the hash of a plan: drafts are named by it."""
    return hashlib.sha256(plan.model_dump_json(exclude_defaults=True).encode()).hexdigest()


def keep_table(path: Path, rows: pa.Table) -> None:
    """Write a table, whole or not at all, as the same bytes for the same rows."""
    with durable_file(path) as handle, pa.ipc.new_file(cast(io.IOBase, handle), rows.schema) as writer:
        writer.write_table(rows.combine_chunks())


def decimals(column: pl.Series, scale: int) -> pa.Array[Any]:
    """Return an Int128 column as Decimal(38, scale) of the same digits."""
    exact = column.cast(pl.Decimal(38, 0)).rechunk().to_arrow()
    return pa.Array.from_buffers(pa.decimal128(38, scale), len(exact), exact.buffers(), offset=exact.offset)


def integers(column: pa.ChunkedArray[Any]) -> pl.Series:
    """Return a column of Decimal(38, any scale) as Int128 of the same digits."""
    whole = column.combine_chunks()
    chunk = whole if isinstance(whole, pa.Array) else whole.chunk(0)
    plain = pa.Array.from_buffers(pa.decimal128(38, 0), len(chunk), chunk.buffers(), offset=chunk.offset)
    return cast(pl.Series, pl.from_arrow(plain)).cast(pl.Int128)


def table_of(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """Return columns of a frame in an Arrow schema; amounts are Int128 in billionths, quantities in base steps."""
    columns = []
    for field in schema:
        column = frame[field.name]
        if pa.types.is_decimal(field.type):
            columns.append(decimals(column.cast(pl.Int128), field.type.scale))
        elif pa.types.is_timestamp(field.type):
            columns.append(column.cast(pl.Int64).rechunk().to_arrow().cast(pa.int64()).cast(field.type))
        else:
            columns.append(column.rechunk().to_arrow().cast(field.type))
    return pa.table(columns, schema=schema)


def frame_of(rows: pa.Table) -> pl.DataFrame:
    """Return rows with amounts as Int128."""
    amounts = {field.name: integers(rows[field.name]) for field in rows.schema if pa.types.is_decimal(field.type)}
    rest = (
        cast(pl.DataFrame, pl.from_arrow(rows.drop_columns(list(amounts))))
        if len(amounts) < len(rows.schema)
        else pl.DataFrame()
    )
    return rest.with_columns(column.alias(name) for name, column in amounts.items()).select(rows.column_names)
