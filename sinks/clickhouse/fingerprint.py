"""What a stretch of the log made, in a few numbers: the same log makes the same rows, wherever it is replayed."""

from __future__ import annotations

from sinks.clickhouse.migrations import FACTS
from sinks.clickhouse.table import Table


def _select(table: Table) -> str:
    entry = "by_claim" if "by_claim" in table.names else "claim"
    return (
        f"SELECT '{table.name}' AS facts, count() AS rows, sumWithOverflow(cityHash64(*)) AS hash FROM {table.qualified} "
        f"WHERE {entry} < {{before:UInt32}} AND {entry} != {{without:UInt32}}"
    )


FINGERPRINTS = " UNION ALL ".join(_select(table) for table in FACTS)
"""Per table of facts: how many rows came of the entries before `before`, but for the entry `without`, and a hash over all their
columns that does not depend on their order."""
