"""The balance check: facts counted again, compared with the headers that came with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from schemas.notification import NO_BLOCK
from schemas.wallets import OF_BLOCKS
from sinks.clickhouse.client import Connection
from sinks.clickhouse.kept import kept_differences
from sinks.clickhouse.table import DATABASE
from sinks.clickhouse.tables.assembled_part import FACT_ASSEMBLED_PART
from sinks.clickhouse.tables.block import FACT_BLOCK, OUTCOME_COLUMNS
from sinks.clickhouse.tables.dimensions import DIM_CHARGE_VERSION, DIM_CURRENCY
from sinks.clickhouse.tables.notification import FACT_NOTIFICATION
from sinks.clickhouse.tables.rejection import FACT_REJECTION
from sinks.clickhouse.tables.reversal import FACT_REVERSAL
from sinks.clickhouse.tables.sequence_run import FACT_SEQUENCE_RUN
from sinks.clickhouse.tables.usage import FACT_USAGE
from sinks.clickhouse.tables.wallet_operation import FACT_WALLET_OPERATION


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that does not balance: claim (0: none in particular), what, expected (headers) and found (facts)."""

    claim: int
    what: str
    expected: Decimal
    found: Decimal


_OUTCOMES = " + ".join(f"toInt64({name})" for name in OUTCOME_COLUMNS)

_COUNTS = f"""
SELECT claim, what, sum(expected) AS expected, sum(found) AS found FROM (
  SELECT claim, 'rows of fact_usage' AS what, toDecimal128(usage_rows, 0) AS expected, toDecimal128(0, 0) AS found
  FROM {FACT_BLOCK.qualified}
  UNION ALL SELECT claim, 'rows of fact_wallet_operation', toDecimal128(operation_rows, 0), toDecimal128(0, 0)
  FROM {FACT_BLOCK.qualified}
  UNION ALL SELECT claim, 'rows of fact_rejection', toDecimal128(rejection_rows, 0), toDecimal128(0, 0)
  FROM {FACT_BLOCK.qualified}
  UNION ALL SELECT claim, 'rows of fact_reversal', toDecimal128(reversal_rows, 0), toDecimal128(0, 0)
  FROM {FACT_BLOCK.qualified}
  UNION ALL SELECT claim, 'rows of fact_sequence_run', toDecimal128(run_rows, 0), toDecimal128(0, 0)
  FROM {FACT_BLOCK.qualified}
  UNION ALL SELECT claim, 'rows of fact_sequence_run', toDecimal128(0, 0), toDecimal128(count(), 0)
  FROM {FACT_SEQUENCE_RUN.qualified} GROUP BY claim
  UNION ALL SELECT claim, 'rows of fact_notification', toDecimal128(notification_rows, 0), toDecimal128(0, 0)
  FROM {FACT_BLOCK.qualified}
  UNION ALL SELECT claim, 'rows of fact_notification', toDecimal128(0, 0), toDecimal128(count(), 0)
  FROM {FACT_NOTIFICATION.qualified} WHERE block != {NO_BLOCK} GROUP BY claim
  UNION ALL SELECT claim, 'rows of fact_assembled_part', toDecimal128(part_rows, 0), toDecimal128(0, 0)
  FROM {FACT_BLOCK.qualified}
  UNION ALL SELECT claim, 'rows of fact_assembled_part', toDecimal128(0, 0), toDecimal128(count(), 0)
  FROM {FACT_ASSEMBLED_PART.qualified} GROUP BY claim
  UNION ALL SELECT claim, 'rated quantity', quantity, toDecimal128(0, 0) FROM {FACT_BLOCK.qualified}
  UNION ALL SELECT claim, 'record sheet', toDecimal128(received, 0), toDecimal128({_OUTCOMES}, 0)
  FROM {FACT_BLOCK.qualified}
  UNION ALL SELECT claim, 'EDR sheet', toDecimal128(edrs, 0),
    toDecimal128(toInt64(rated) + toInt64(unrated) + toInt64(cancelled), 0) FROM {FACT_BLOCK.qualified}
  UNION ALL SELECT claim, 'rows of fact_usage', toDecimal128(0, 0), toDecimal128(count(), 0)
  FROM {FACT_USAGE.qualified} GROUP BY claim
  UNION ALL SELECT claim, 'rated quantity', toDecimal128(0, 0), sum(toDecimal128(quantity, 0))
  FROM {FACT_USAGE.qualified} GROUP BY claim
  UNION ALL SELECT claim, 'rows of fact_wallet_operation', toDecimal128(0, 0), toDecimal128(count(), 0)
  FROM {FACT_WALLET_OPERATION.qualified} WHERE kind IN {tuple(map(int, OF_BLOCKS))} GROUP BY claim
  UNION ALL SELECT claim, 'rows of fact_rejection', toDecimal128(0, 0), toDecimal128(count(), 0)
  FROM {FACT_REJECTION.qualified} GROUP BY claim
  UNION ALL SELECT claim, 'rows of fact_reversal', toDecimal128(0, 0), toDecimal128(count(), 0)
  FROM {FACT_REVERSAL.qualified} GROUP BY claim
) GROUP BY claim, what HAVING sum(expected) != sum(found) ORDER BY claim, what"""

_AMOUNTS = f"""
SELECT claim, concat('rated amount in ', currency) AS what, sum(header) AS expected, sum(fact) AS found FROM (
  SELECT b.claim AS claim, c.code AS currency, b.total AS header, toDecimal128(0, 9) AS fact FROM (
    SELECT claim, code, total FROM {FACT_BLOCK.qualified}
    ARRAY JOIN mapKeys(amounts) AS code, mapValues(amounts) AS total
  ) AS b LEFT JOIN {DIM_CURRENCY.qualified} AS c ON c.id = b.code
  UNION ALL
  SELECT u.claim, v.currency, toDecimal128(0, 9), u.total FROM (
    SELECT claim, charge_version, sum(amount) AS total FROM {FACT_USAGE.qualified} GROUP BY claim, charge_version
  ) AS u LEFT JOIN {DIM_CHARGE_VERSION.qualified} AS v ON v.id = u.charge_version
) GROUP BY claim, currency HAVING sum(header) != sum(fact) ORDER BY claim, currency"""

_BALANCES = f"""
SELECT toUInt32(0) AS claim, concat('balance of wallet ', account, '/', wallet) AS what, balance AS expected,
  latest_balance AS found
FROM {DATABASE}.account_balance WHERE balance != latest_balance ORDER BY account, wallet LIMIT 1000"""

_TWICE = f"""
SELECT claim, 'blocks stored twice' AS what, toDecimal128(0, 0) AS expected,
  toDecimal128(count() - uniqExact(block), 0) AS found
FROM {FACT_BLOCK.qualified} GROUP BY claim HAVING count() != uniqExact(block) ORDER BY claim"""


_REVERSED = f"""
SELECT reversed_claim AS claim, 'items taken back that do not net to zero' AS what, toDecimal128(0, 0) AS expected,
  toDecimal128(count(), 0) AS found
FROM (
  SELECT reversed_claim, reversed_record, reversed_branch, reversed_item, sum(quantity) AS steps, sum(amount) AS money,
    count() AS rows
  FROM (
    SELECT r.reversed_claim AS reversed_claim, r.reversed_record AS reversed_record, r.reversed_branch AS reversed_branch,
      r.reversed_item AS reversed_item, u.quantity AS quantity, u.amount AS amount
    FROM {FACT_REVERSAL.qualified} AS r INNER JOIN (
      SELECT claim, record, branch, item, quantity, amount FROM {FACT_USAGE.qualified}
      WHERE claim IN (SELECT reversed_claim FROM {FACT_REVERSAL.qualified})
    ) AS u ON u.claim = r.reversed_claim AND u.record = r.reversed_record AND u.branch = r.reversed_branch
      AND u.item = r.reversed_item
    UNION ALL
    SELECT r.reversed_claim, r.reversed_record, r.reversed_branch, r.reversed_item, u.quantity, u.amount
    FROM {FACT_REVERSAL.qualified} AS r INNER JOIN (
      SELECT claim, record, item, quantity, amount FROM {FACT_USAGE.qualified}
      WHERE claim IN (SELECT claim FROM {FACT_REVERSAL.qualified})
    ) AS u ON u.claim = r.claim AND u.record = r.record AND u.item = r.reversed_item
  ) GROUP BY reversed_claim, reversed_record, reversed_branch, reversed_item HAVING steps != 0 OR money != 0 OR rows != 2
) GROUP BY reversed_claim ORDER BY reversed_claim"""


def find_differences(connection: Connection) -> list[Difference]:
    """Return everything that does not balance, by claim: counts, quantities, amounts, both sheets, wallets, sums that are kept.

    Raises:
        UnableToQuery: when the tables cannot be read.
    """
    checks = (_COUNTS, _AMOUNTS, _TWICE, _REVERSED, _BALANCES)
    kept = [
        Difference(each.since, what, Decimal(expected), Decimal(found))
        for each, what, expected, found in kept_differences(connection)
    ]
    return [difference for sql in checks for difference in _differences(connection, sql)] + kept


def _differences(connection: Connection, sql: str) -> Iterator[Difference]:
    for row in connection.rows(sql):
        yield Difference(row["claim"], row["what"], row["expected"], row["found"])
