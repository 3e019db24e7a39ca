"""Views that answer what analysts ask first: usage and revenue by day, load curves, refusals, wallets by day, lineage."""

from __future__ import annotations

from sinks.clickhouse.table import BALANCE, DATABASE, TIMESTAMP
from sinks.clickhouse.tables.block import OUTCOME_COLUMNS
from sinks.clickhouse.tables.dimensions import looked_up
from sinks.clickhouse.view import View
from sinks.clickhouse.view_columns import (
    ACCESS_POINT,
    ACCOUNT,
    ACCOUNT_ID,
    BRANCH_ID,
    CLAIM,
    DAY,
    EVENT_TYPE,
    HELD,
    IMAGE,
    IS_REVERSAL,
    ITEM_ID,
    ITEM_STATUS,
    PREPAID,
    QUANTITY,
    RECORD,
    SOURCE,
    STATUS,
    SUBSCRIPTION,
    TENANT,
    UNIT,
    WALLET,
    in_units,
    per_row,
)

_CHARGE = per_row("charge", "String", "charge")
_CURRENCY = per_row("currency", "String", "ISO 4217 code")
_EVENT_DAY = per_row("event_day", "Date", "day on which the usage started (UTC)")
_ITEMS = per_row("items", "Int64", "rated items that stand: what was taken back counts no more")
_AMOUNT = per_row("amount", BALANCE, "sum of their amounts")
_SHARE = "Decimal(18, 6)"

_BY_DAY = f"""
  SELECT tenant, account, subscription, event_type, charge_version, toDate(event_at) AS event_day,
    toInt64(count()) - 2 * toInt64(countIf({IS_REVERSAL})) AS items, sum(toInt128(quantity)) AS quantity,
    sum(toInt128(rated_quantity)) AS rated_quantity, toDecimal128(sum(amount), 9) AS amount
  FROM {DATABASE}.fact_usage AS f GROUP BY tenant, account, subscription, event_type, charge_version, event_day"""
_CHARGE_OF = looked_up("charge_version", "charge", "charge_version")
_CURRENCY_OF = looked_up("charge_version", "currency", "charge_version")

USAGE_BY_DAY = View(
    "usage_by_day",
    "One row per subscription, charge and day of usage (UTC): who used how much of what, and what it costs.",
    (
        TENANT,
        ACCOUNT,
        ACCOUNT_ID,
        SUBSCRIPTION,
        EVENT_TYPE,
        _CHARGE,
        _EVENT_DAY,
        _ITEMS,
        per_row("quantity", QUANTITY, "measured quantity, in `unit`", in_units("f.quantity")),
        per_row("rated_quantity", QUANTITY, "quantity after increments, in `unit`", in_units("f.rated_quantity")),
        UNIT,
        _AMOUNT,
        _CURRENCY,
    ),
    f"""(
  SELECT tenant, account, subscription, event_type, {_CHARGE_OF} AS charge, {_CURRENCY_OF} AS currency, event_day,
    sum(items) AS items, sum(quantity) AS quantity, sum(rated_quantity) AS rated_quantity, sum(amount) AS amount
  FROM ({_BY_DAY}
  ) GROUP BY tenant, account, subscription, event_type, charge, currency, event_day
) AS f""",
)

REVENUE_STREAM = View(
    "revenue_stream",
    "One row per offer, charge and day of usage (UTC): what earns how much, of how many accounts.",
    (
        TENANT,
        per_row("offer", "String", "offer of the subscription, as it was when first seen"),
        EVENT_TYPE,
        _CHARGE,
        per_row("price_plan", "String", "price plan"),
        _EVENT_DAY,
        per_row("accounts", "UInt64", "how many accounts have items of it on that day"),
        _ITEMS,
        _AMOUNT,
        _CURRENCY,
    ),
    f"""(
  SELECT tenant, {looked_up("subscription", "offer", "subscription")} AS offer, event_type, {_CHARGE_OF} AS charge,
    {looked_up("charge_version", "price_plan", "charge_version")} AS price_plan, {_CURRENCY_OF} AS currency, event_day,
    uniqExact(account) AS accounts, sum(items) AS items, sum(amount) AS amount
  FROM ({_BY_DAY}
  ) GROUP BY tenant, offer, event_type, charge, price_plan, currency, event_day
) AS f""",
)

LOAD_CURVE = View(
    "load_curve",
    "One row per interval of metered usage: what was used between two instants, and whether that still holds.",
    (
        TENANT,
        SOURCE,
        ACCESS_POINT,
        SUBSCRIPTION,
        ACCOUNT,
        ACCOUNT_ID,
        EVENT_TYPE,
        per_row("start_at", TIMESTAMP, "start of the interval (UTC)", "f.event_at"),
        per_row("end_at", TIMESTAMP, "its end (UTC), exclusive", "f.event_at + toIntervalSecond(f.span_s)"),
        per_row("length_s", "UInt32", "seconds between the two", "f.span_s"),
        per_row("quantity", QUANTITY, "what was used, in `unit`", in_units("f.quantity + f.rest")),
        UNIT,
        per_row("per_hour", QUANTITY, "the same at an even pace, in `unit` an hour: Wh become W",
                f"toDecimal128(toDecimal256({in_units('f.quantity + f.rest')}, 12) * 3600 / f.span_s, 12)"),
        STATUS,
        CLAIM,
        RECORD,
        DAY,
    ),
    f"{DATABASE}.fact_usage AS f WHERE f.item = 0 AND f.span_s > 0",
)  # fmt: skip

_FUNNEL = ("received", *OUTCOME_COLUMNS, "edrs", "rated", "unrated")
_FUNNEL_MEANING = {
    "received": "records that entered for the first time",
    "accepted": "of these, became an EDR",
    "absorbed": "merged into an EDR or a series",
    "duplicate": "processed before",
    "superseded": "replaced by a later version",
    "filtered": "excluded by the source's filters",
    "rejected": "refused",
    "parked": "set aside until somebody decides",
    "edrs": "EDRs of the accepted",
    "rated": "of these, with a rated item",
    "unrated": "refused by the account stage",
}

REJECTION_FUNNEL = View(
    "rejection_funnel",
    "One row per source and ingest day: how many records came how far, and how many came through when tried again.",
    (
        TENANT,
        SOURCE,
        DAY,
        *(per_row(name, "UInt64", meaning) for name, meaning in _FUNNEL_MEANING.items()),
        per_row("accepted_again", "UInt64", "refused before, accepted when tried again on that day"),
        per_row("rated_again", "UInt64", "refused before, rated when tried again on that day"),
        per_row("rated_share", f"Nullable({_SHARE})", "rated of those neither duplicate nor filtered; null when there are none",
                "if(f.received = f.duplicate + f.filtered, NULL, toDecimal64(toDecimal128(f.rated, 6) / greatest("
                "toInt64(f.received) - toInt64(f.duplicate) - toInt64(f.filtered), 1), 6))"),
    ),
    f"""(
  SELECT tenant, source, day, {", ".join(f"sumIf({name}, NOT retry) AS {name}" for name in _FUNNEL)},
    sumIf(accepted, retry) AS accepted_again, sumIf(rated, retry) AS rated_again
  FROM {DATABASE}.fact_block GROUP BY tenant, source, day
) AS f""",
)  # fmt: skip

REJECTION_PARETO = View(
    "rejection_pareto",
    "One row per source and reason of refusal: the few reasons that most refusals come of, most frequent first.",
    (
        per_row("tenant", "String", "tenant"),
        per_row("source", "String", "source of the usage"),
        per_row("stage", "String", "the stage that refused: decode, resource or account"),
        per_row("reason", "String", "the reason's name"),
        per_row("rejections", "UInt64", "how many there were"),
        per_row("open", "UInt64", "how many of them nobody has decided yet"),
        per_row("share", _SHARE, "of all of the tenant"),
        per_row("cumulative_share", _SHARE, "share of this one and of all that are more frequent"),
        per_row("first_day", "Date", "ingest day of the first (UTC)"),
        per_row("last_day", "Date", "ingest day of the latest (UTC)"),
        per_row("example", "String", "one of them, CLAIM-RECORD: of the latest"),
    ),
    f"""(
  SELECT *, toDecimal64(toDecimal128(rejections, 6) / sum(rejections) OVER (PARTITION BY tenant), 6) AS share,
    toDecimal64(toDecimal128(sum(rejections) OVER (PARTITION BY tenant ORDER BY rejections DESC, source, stage, reason
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), 6) / sum(rejections) OVER (PARTITION BY tenant), 6) AS cumulative_share
  FROM (
    SELECT tenant, source, stage, reason, count() AS rejections, countIf(status IN ('OPEN', 'TO_REPROCESS')) AS open,
      min(day) AS first_day, max(day) AS last_day,
      argMax(concat(toString(claim), '-', toString(record)), (claim, record)) AS example
    FROM {DATABASE}.rejection GROUP BY tenant, source, stage, reason
  ) ORDER BY tenant, rejections DESC, source, stage, reason
) AS f""",
)

_DAILY = f"""(
  SELECT tenant, wallet, day, sumIf(amount, amount > 0) AS credits, sumIf(amount, amount < 0) AS debits, count() AS operations
  FROM (
    SELECT tenant, toUInt32(wallet) AS wallet, day, -toDecimal128(amount, 9) AS amount
    FROM {DATABASE}.fact_usage WHERE wallet >= 0 AND amount != 0
    UNION ALL SELECT tenant, wallet, day, amount FROM {DATABASE}.fact_wallet_operation WHERE amount != 0
  ) GROUP BY tenant, wallet, day
)"""
"""Of all who draw from a wallet: it is its account's."""

WALLET_HISTORY = View(
    "wallet_history",
    "One row per wallet and ingest day on which it moved: what it held before, what came and went, what it held after.",
    (
        TENANT,
        ACCOUNT,
        ACCOUNT_ID,
        WALLET,
        per_row("wallet_id", "UInt32", "its id", "f.wallet"),
        PREPAID,
        DAY,
        per_row("opening", BALANCE, "sum of its operations of earlier days"),
        per_row("credits", BALANCE, "what came: operations above zero"),
        per_row("debits", BALANCE, "what went: operations below zero"),
        per_row("closing", BALANCE, "sum of its operations up to that day"),
        per_row("operations", "UInt64", "how many"),
        HELD,
    ),
    f"""(
  SELECT tenant, {looked_up("wallet", "account", "wallet")} AS account, wallet, day, credits, debits, operations,
    reached - credits - debits AS opening, reached AS closing
  FROM (
    SELECT *, sum(credits + debits) OVER (PARTITION BY tenant, wallet ORDER BY day
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS reached
    FROM {_DAILY}
  )
) AS f""",
)

LINEAGE = View(
    "lineage",
    "One row per rated item: the chain from the record in its file over the EDR to the wallet operation that paid for it.",
    (
        TENANT,
        SOURCE,
        per_row("file", "String", "the file that brought it; empty where the entry is none", "c.name"),
        per_row("received_at", f"Nullable({TIMESTAMP})", "when the entry was journaled (UTC); null until it is finished",
                "nullIf(c.received_at, toDateTime64(0, 6, 'UTC'))"),
        CLAIM,
        RECORD,
        per_row("edr", "String", "the EDR", f"concat('edr-', toString(f.claim), '-', toString(f.record), {BRANCH_ID})"),
        per_row("item", "String", "the rated item",
                f"concat('ri-', toString(f.claim), '-', toString(f.record), {BRANCH_ID}, {ITEM_ID})"),
        ITEM_STATUS,
        ACCOUNT,
        ACCOUNT_ID,
        SUBSCRIPTION,
        ACCESS_POINT,
        per_row("charge_version", "String", "charge/plan@start#hash", looked_up("charge_version", "code", "f.charge_version")),
        IMAGE,
        per_row("amount", BALANCE, "what it costs", "toDecimal128(f.amount, 9)"),
        per_row("currency", "String", "ISO 4217 code", looked_up("charge_version", "currency", "f.charge_version")),
        per_row("operation", "String", "the wallet_operation that paid all of it; empty where several or none did",
                f"if(f.wallet < 0 OR f.amount = 0, '', concat('wo-', toString(f.claim), '-', toString(f.record), {BRANCH_ID}, "
                f"{ITEM_ID}, '-0'))"),
        per_row("wallet", "String", "that wallet", f"if(f.wallet < 0, '', {looked_up('wallet', 'code', 'f.wallet')})"),
        DAY,
    ),
    f"""{DATABASE}.fact_usage AS f
LEFT JOIN (
  SELECT claim, any(name) AS name, any(received_at) AS received_at FROM {DATABASE}.fact_claim GROUP BY claim
) AS c ON c.claim = f.claim""",
)  # fmt: skip

ANALYST_VIEWS: tuple[View, ...] = (
    USAGE_BY_DAY,
    REVENUE_STREAM,
    LOAD_CURVE,
    REJECTION_FUNNEL,
    REJECTION_PARETO,
    WALLET_HISTORY,
    LINEAGE,
)
"""In an order in which they can be created, once those are there that are read off the facts."""
