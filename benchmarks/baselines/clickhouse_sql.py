"""One query in ClickHouse (chdb) over the files: window functions for tiers, a fold over an account's records for balances."""

from __future__ import annotations

from pathlib import Path

import clickhouse_connect

from benchmarks.baselines.python_rater import Totals

QUERY = """
WITH
  calls AS (
    SELECT record_id, msisdn, record_type AS kind, zone, quantity, parseDateTimeBestEffort(start_time, 'UTC') AS at
    FROM file('{usage}/*.csv', CSVWithNames, 'record_id String, record_type LowCardinality(String),
      direction LowCardinality(String), msisdn UInt64, zone LowCardinality(String), start_time String, quantity Int64')
    WHERE direction = 'out' LIMIT 1 BY record_id),
  customers AS (
    SELECT access_point, replaceOne(offer, 'mobile-', '') AS offer, postpaid = 'false' AS limited,
      toInt64(toDecimal64OrZero(prepaid_balance, 6) * 1000000) AS balance
    FROM file('{customers}', CSVWithNames, 'account String, currency String, subscription String, offer String,
      access_point UInt64, prepaid_balance String, postpaid String')),
  sold AS (
    SELECT record_id, msisdn, quantity, limited, balance, toTimeZone(at, 'Europe/Paris') AS local,
      multiIf(zone = 'world' AND kind != 'data', concat(kind, '-world'), kind = 'sms' AND offer = 'prepaid', 'sms-essential',
        concat(kind, '-', offer)) AS charge
    FROM calls INNER JOIN customers ON msisdn = access_point),
  rounded AS (
    SELECT *, toMonth(local) AS month, toHour(local) * 60 + toMinute(local) AS minute,
      multiIf(toDayOfWeek(local) < 6 AND minute >= 480 AND minute < 1170, 1, minute >= 1320 OR minute < 390, 3, 2) AS band,
      transform(charge, ['voice-essential', 'voice-plus', 'voice-prepaid', 'voice-world', 'data-plus', 'data-prepaid'],
        [60, 30, 60, 60, 1000, 10000], 1) AS first,
      transform(charge, ['voice-prepaid', 'voice-world', 'data-plus', 'data-prepaid'], [30, 60, 1000, 10000], 1) AS step,
      if(quantity = 0, 0, first + intDiv(greatest(quantity - first, 0) + step - 1, step) * step)::Int64 AS rated
    FROM sold),
  counted AS (
    SELECT *, sum(rated) OVER (PARTITION BY msisdn, charge, month ORDER BY record_id) AS after, after - rated AS before
    FROM rounded),
  priced AS (
    SELECT *,
      multiIf(charge LIKE 'voice-%', 60, charge = 'data-prepaid', 1000000, charge LIKE 'data-%', 1000000000, 1)::Int64 AS per,
      multiIf(
        charge = 'voice-essential',
          (least(after, 18000) - least(before, 18000) - (least(after, 3600) - least(before, 3600)))
            * [145000, 98000, 49000][band]
          + (greatest(after, 18000) - greatest(before, 18000)) * [95000, 65000, 35000][band],
        charge = 'voice-plus', rated * if(local >= toDateTime('2026-10-16 00:00:00', 'Europe/Paris'),
          [57000, 39000, 17000], [55000, 41000, 19000])[band],
        charge = 'data-essential',
          (least(greatest(after, 500000000), 5000000000) - least(greatest(before, 500000000), 5000000000)) * 1990000
          + (least(greatest(after, 5000000000), 50000000000) - least(greatest(before, 5000000000), 50000000000)) * 790000
          + (greatest(after, 50000000000) - greatest(before, 50000000000)) * 290000,
        charge = 'data-plus',
          (least(after, 20000000000) - least(before, 20000000000)) * 150000
          + (greatest(after, 20000000000) - greatest(before, 20000000000)) * 490000,
        rated * transform(charge, ['voice-prepaid', 'voice-world', 'data-prepaid', 'sms-essential', 'sms-plus', 'sms-world'],
          [190000, 390000, 4900, 70000, 15000, 280000], 0))::Int64 AS cost,
      if(rated > 0, transform(charge, ['voice-essential', 'voice-world'], [20000, 150000], 0), 0)::Int64 AS fee,
      intDiv(2 * cost + per, 2 * per) + fee AS amount
    FROM counted),
  spent AS (
    SELECT arrayFold((kept, call) -> if(call.3 <= kept.1, (kept.1 - call.3, arrayPushBack(kept.2, (call.2, call.3))), kept),
      arraySort(groupArray((record_id, charge, amount))),
      (any(balance), CAST([], 'Array(Tuple(String, Int64))'))).2 AS paid
    FROM priced WHERE limited GROUP BY msisdn)
SELECT charge, count() AS items, sum(amount) AS total FROM (
  SELECT charge::String AS charge, amount FROM priced WHERE NOT limited
  UNION ALL
  SELECT call.1 AS charge, call.2 AS amount FROM spent ARRAY JOIN paid AS call)
GROUP BY charge ORDER BY charge
"""


def run(usage: Path, customers: Path) -> Totals:
    """Rate all files."""
    client = clickhouse_connect.get_client(interface="chdb")
    try:
        found = client.query(QUERY.format(usage=usage, customers=customers)).result_rows
    finally:
        client.close()
    return {charge: (int(items), int(amount)) for charge, items, amount in found}
