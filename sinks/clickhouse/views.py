"""The analysts' contract: views, documented column by column. Physical tables may change, these only grow.

Money is Decimal in currency units; instants are UTC; quantities are Decimal in the event type's unit, cut off after 12
decimals (`quantity_steps` is the exact integer, in base steps of the unit).
"""

from __future__ import annotations

from schemas.rejection import EXPLANATIONS, Outcome, Reason, Stage
from schemas.wallets import PREFIXES, MovementKind
from sinks.clickhouse.analyst_views import ANALYST_VIEWS
from sinks.clickhouse.file_view import FILE
from sinks.clickhouse.invoice_views import INVOICE_VIEWS
from sinks.clickhouse.notification_view import NOTIFICATION
from sinks.clickhouse.table import BALANCE, DATABASE, TIMESTAMP
from sinks.clickhouse.tables.block import OUTCOME_COLUMNS
from sinks.clickhouse.tables.dimensions import EXCHANGE_RATE, PRICE_CURRENCY, looked_up
from sinks.clickhouse.tables.rejection_event import CORRECTED_AS
from sinks.clickhouse.view import View
from sinks.clickhouse.view_columns import (
    ACCESS_POINT,
    ACCOUNT,
    ACCOUNT_ID,
    BRANCH,
    BRANCH_ID,
    CLAIM,
    DAY,
    EVENT_AT,
    EVENT_TYPE,
    HELD,
    IMAGE,
    IS_REVERSAL,
    ITEM,
    ITEM_ID,
    ITEM_STATUS,
    MEASURED,
    PREPAID,
    QUANTITY,
    QUANTITY_STEPS,
    RECORD,
    SOURCE,
    STATUS,
    SUBSCRIPTION,
    TENANT,
    TRIGGERING,
    UNIT,
    WALLET,
    in_units,
    per_row,
    text_of,
)
from sinks.clickhouse.wallet_request_view import WALLET_REQUEST

EDR = View(
    "edr",
    "One row per rated EDR: deduplicated usage, attributed to a subscription. Unrated EDRs are in `rejection`.",
    (
        per_row("id", "String", "edr-CLAIM-RECORD; edr-CLAIM-RECORD-BRANCH from branch 1 on",
                 f"concat('edr-', toString(f.claim), '-', toString(f.record), {BRANCH_ID})"),
        CLAIM,
        RECORD,
        BRANCH,
        TENANT,
        SOURCE,
        EVENT_TYPE,
        ACCESS_POINT,
        SUBSCRIPTION,
        ACCOUNT,
        ACCOUNT_ID,
        EVENT_AT,
        per_row("event_end", TIMESTAMP, "end of the metered period (UTC); = event_at for plain usage",
                 "f.event_at + toIntervalSecond(f.span_s)"),
        per_row("quantity", QUANTITY, "measured quantity, in `unit`", in_units("f.quantity + f.rest")),
        per_row("quantity_steps", "Int64", "the same, exact, in base steps", "f.quantity + f.rest"),
        UNIT,
        DAY,
        STATUS,
    ),
    f"{DATABASE}.fact_usage AS f WHERE f.item = 0",
)  # fmt: skip

RATED_ITEM = View(
    "rated_item",
    "One row per rated item: what an EDR, or what of it a charge priced, costs, and why.",
    (
        per_row("id", "String", "ri-CLAIM-RECORD, as `octroi explain` takes it; ri-CLAIM-RECORD-BRANCH from branch 1 on; "
                 "followed by .ITEM from item 1 on",
                 f"concat('ri-', toString(f.claim), '-', toString(f.record), {BRANCH_ID}, {ITEM_ID})"),
        CLAIM,
        RECORD,
        BRANCH,
        TENANT,
        SOURCE,
        ACCOUNT,
        ACCOUNT_ID,
        SUBSCRIPTION,
        ACCESS_POINT,
        EVENT_TYPE,
        per_row("charge", "String", "charge", looked_up("charge_version", "charge", "f.charge_version")),
        per_row("price_plan", "String", "price plan", looked_up("charge_version", "price_plan", "f.charge_version")),
        per_row("price_version_start", TIMESTAMP, "start of the price plan version that priced it",
                 looked_up("charge_version", "version_start", "f.charge_version")),
        per_row("charge_version", "String", "charge/plan@start#hash", looked_up("charge_version", "code", "f.charge_version")),
        EVENT_AT,
        MEASURED,
        QUANTITY_STEPS,
        per_row("rated_quantity", QUANTITY, "quantity after increments, in `unit`", in_units("f.rated_quantity")),
        per_row("counter_before", QUANTITY, "the counter before this item, in `unit`", in_units("f.counter_before")),
        UNIT,
        per_row("tier", "UInt8", "last tier that priced a part of it, from 0"),
        per_row("band", "UInt8", "time band, from 0"),
        per_row("amount", BALANCE, "what it costs; with tax where the seller's prices are gross", "toDecimal128(f.amount, 9)"),
        per_row("currency", "String", "ISO 4217 code", looked_up("charge_version", "currency", "f.charge_version")),
        per_row("price_currency", "String", "currency of the price; another one where it was converted", PRICE_CURRENCY),
        per_row("exchange_rate", "String", "what 1 of that is in `currency`; empty where not converted", EXCHANGE_RATE),
        per_row("wallet", "String", "the wallet that paid all of it; empty when several or none did",
                 f"if(f.wallet < 0, '', {looked_up('wallet', 'code', 'f.wallet')})"),
        IMAGE,
        DAY,
        ITEM_STATUS,
        ITEM,
        per_row("triggered_by", "String", "the item that triggered the usage that it prices; empty where that came by itself",
                 f"if(f.triggered_by = 0, '', concat('ri-', toString(f.claim), '-', toString({TRIGGERING}), {BRANCH_ID}, "
                 "if(f.triggered_by = 1, '', concat('.', toString(f.triggered_by - 1)))))"),
    ),
    f"{DATABASE}.fact_usage AS f",
)  # fmt: skip

_OPERATIONS = f"""(
  SELECT tenant, account, toUInt32(u.wallet) AS wallet, event_at AS at,
    if((claim, block) IN (SELECT claim, block FROM {DATABASE}.fact_reversal), 2, 0) AS kind, claim, block,
    record, branch, item, 0 AS part, -toDecimal128(u.amount, 9) AS amount, balance_after, day
  FROM {DATABASE}.fact_usage AS u WHERE u.wallet >= 0 AND u.amount != 0
  UNION ALL
  SELECT tenant, account, wallet, at, kind, claim, block, record, branch, item, part, amount, balance_after, day
  FROM {DATABASE}.fact_wallet_operation WHERE amount != 0
)"""

_PREFIX = text_of("f.kind", {int(kind): prefix for kind, prefix in PREFIXES.items()})

WALLET_OPERATION = View(
    "wallet_operation",
    "One row per movement of a wallet. Movements of zero are left out.",
    (
        per_row("id", "String", "wo-CLAIM-RECORD-PART; wo-CLAIM-RECORD-BRANCH-PART from branch 1 on; .ITEM before the "
                 "part from item 1 on; without usage oc, tu, ad or ex-CLAIM-ROW, tr-CLAIM-ROW-PART",
                 "if(f.kind IN (0, 2), concat('wo-', toString(f.claim), '-', toString(f.record), "
                 f"{BRANCH_ID}, {ITEM_ID}, '-', toString(f.part)), concat({_PREFIX}, '-', toString(f.claim), '-', "
                 "toString(f.record), if(f.kind = 5, concat('-', toString(f.part)), '')))"),
        per_row("at", TIMESTAMP, "start of the usage paid for, or when the movement was journaled (UTC)"),
        TENANT,
        ACCOUNT,
        ACCOUNT_ID,
        WALLET,
        per_row("wallet_id", "UInt32", "its id", "f.wallet"),
        PREPAID,
        per_row("kind", "String", "usage, reversal (usage given back), opening, top_up, adjustment, transfer or expiry",
                 text_of("f.kind", {int(kind): kind.name.lower() for kind in MovementKind})),
        CLAIM,
        RECORD,
        BRANCH,
        per_row("part", "UInt16", "which of the item's operations, in drawing order from 0"),
        per_row("amount", BALANCE, "what moved: debits are negative"),
        per_row("balance_after", BALANCE, "the wallet's balance afterwards"),
        HELD,
        DAY,
        ITEM,
    ),
    f"{_OPERATIONS} AS f",
)  # fmt: skip

_REJECTIONS = f"""{DATABASE}.fact_rejection AS f
LEFT JOIN (
  SELECT claim, record, branch, argMax(event, by_claim) AS event, argMax(reason, by_claim) AS reason,
    max(by_claim) AS decided_by
  FROM {DATABASE}.fact_rejection_event GROUP BY claim, record, branch
) AS e ON e.claim = f.claim AND e.record = f.record AND e.branch = f.branch
LEFT JOIN (
  SELECT by_claim, toUInt32OrZero(splitByChar('-', reason)[2]) AS as_record,
    any(concat(toString(claim), '-', toString(record), if(branch = 0, '', concat('-', toString(branch))))) AS place
  FROM {DATABASE}.fact_rejection_event WHERE event = 'replayed' AND startsWith(reason, '{CORRECTED_AS}')
  GROUP BY by_claim, as_record
) AS c ON c.by_claim = f.claim AND c.as_record = f.record"""

_REJECTION_STATUS = (
    "multiIf(e.event = 'replayed', 'REPLAYED', e.event = 'cancelled' OR f.claim IN "
    f"(SELECT claim FROM {DATABASE}.fact_claim_event WHERE event = 'backed_out'), 'CANCELLED', "
    "e.event = 'marked', 'TO_REPROCESS', e.event = 'discarded', 'DISCARDED', 'OPEN')"
)

REJECTION = View(
    "rejection",
    "One row per refused record and per unrated EDR, with its present status.",
    (
        CLAIM,
        RECORD,
        per_row("branch", "UInt8", "which of the record's EDRs is unrated, from 0; 0 for a refused record"),
        TENANT,
        SOURCE,
        per_row("status", "String", "OPEN, TO_REPROCESS, DISCARDED, REPLAYED or CANCELLED", _REJECTION_STATUS),
        per_row("stage", "String", "the stage that refused: decode, resource or account",
                 text_of("f.stage", {int(stage): stage.name.lower() for stage in Stage})),
        per_row("code", "UInt16", "stable reason code", "f.reason"),
        per_row("reason", "String", "the reason's name",
                 text_of("f.reason", {int(reason): reason.name for reason in Reason})),
        per_row("explanation", "String", "what it means",
                 text_of("f.reason", {int(reason): text for reason, text in EXPLANATIONS.items()})),
        per_row("detail", "String", "the reason's parameters"),
        per_row("outcome", "String", "what the record sheet counts it as",
                 text_of("f.outcome", {int(outcome): outcome.name.lower() for outcome in Outcome})),
        per_row("event_at", f"Nullable({TIMESTAMP})", "start of the usage (UTC), null when unknown",
                 "nullIf(f.event_at, toDateTime64(0, 6, 'UTC'))"),
        per_row("access_point", "String", "the identifier in the record"),
        per_row("raw", "String", "the record, bytes that are no UTF-8 replaced", "toValidUTF8(f.raw)"),
        per_row("raw_hex", "String", "the record's bytes in hexadecimal", "hex(f.raw)"),
        per_row("raw_truncated", "Bool", "whether the record has more bytes than are kept"),
        per_row("retry_count", "UInt16", "how often it was tried before"),
        per_row("decided_by", "UInt32", "journal entry that decided about it last; 0 when none did", "e.decided_by"),
        per_row("decision_reason", "String", "the reason somebody gave", "e.reason"),
        DAY,
        per_row("lifecycle", "String", "OPEN, TO_REPROCESS, PROCESSED (replayed or cancelled: final) or DISCARDED",
                 f"transform({_REJECTION_STATUS}, ['REPLAYED', 'CANCELLED'], ['PROCESSED', 'PROCESSED'], {_REJECTION_STATUS})"),
        per_row("corrects", "String", "the rejection whose corrected record this is; empty: none", "c.place"),
    ),
    _REJECTIONS,
)  # fmt: skip

_OUTCOME_SUM = " + ".join(f"toInt64(f.{name})" for name in OUTCOME_COLUMNS)


def _summed(columns: tuple[str, ...]) -> str:
    sums = ", ".join(f"sum({column}) AS {column}" for column in columns)
    return (
        f"(SELECT claim, tenant, source, retry, received_at, {sums} FROM {DATABASE}.fact_block "
        f"GROUP BY claim, tenant, source, retry, received_at) AS f "
        f"LEFT JOIN (SELECT claim, any(name) AS name FROM {DATABASE}.fact_claim GROUP BY claim) AS c "
        "ON c.claim = f.claim"
    )


_SHEET_HEAD = (
    per_row("claim", "UInt32", "journal entry"),
    per_row("file", "String", "the file's name; empty until the claim is finished", "c.name"),
    TENANT,
    SOURCE,
    per_row("retry", "Bool", "whether it retries records that were received before: leave retries out to count input"),
    per_row("received_at", TIMESTAMP, "when the claim was journaled (UTC)"),
    per_row("hour", TIMESTAMP, "that hour", "toDateTime64(toStartOfHour(f.received_at), 6, 'UTC')"),
)

RECORD_SHEET = View(
    "record_sheet",
    "One row per claim: every record that entered ends in exactly one outcome, so `difference` is 0.",
    (
        *_SHEET_HEAD,
        per_row("received", "UInt64", "records that entered"),
        per_row("accepted", "UInt64", "became an EDR"),
        per_row("absorbed", "UInt64", "merged into an EDR or a series"),
        per_row("duplicate", "UInt64", "processed before"),
        per_row("superseded", "UInt64", "replaced by a later version"),
        per_row("filtered", "UInt64", "excluded by the source's filters"),
        per_row("rejected", "UInt64", "refused"),
        per_row("parked", "UInt64", "set aside until somebody decides"),
        per_row("difference", "Int64", "received less all outcomes: 0", f"toInt64(f.received) - ({_OUTCOME_SUM})"),
    ),
    _summed(("received", *OUTCOME_COLUMNS)),
)

EDR_SHEET = View(
    "edr_sheet",
    "One row per claim: every EDR is rated, unrated or cancelled, so `difference` is 0.",
    (
        *_SHEET_HEAD,
        per_row("edrs", "UInt64", "EDRs"),
        per_row("rated", "UInt64", "with a rated item"),
        per_row("unrated", "UInt64", "refused by the account stage"),
        per_row("cancelled", "UInt64", "withdrawn"),
        per_row("difference", "Int64", "EDRs less the three: 0",
                 "toInt64(f.edrs) - (toInt64(f.rated) + toInt64(f.unrated) + toInt64(f.cancelled))"),
    ),
    _summed(("edrs", "rated", "unrated", "cancelled")),
)  # fmt: skip

ACCOUNT_BALANCE = View(
    "account_balance",
    "One row per wallet that ever moved: its balance is the sum of its operations.",
    (
        TENANT,
        ACCOUNT,
        ACCOUNT_ID,
        WALLET,
        per_row("wallet_id", "UInt32", "its id", "f.wallet"),
        PREPAID,
        per_row("balance", BALANCE, "sum of the wallet's operations"),
        per_row(
            "latest_balance",
            BALANCE,
            "the balance to which its operations lead, each from that before it: the same",
            "if(f.steps = cityHash64(f.balance) - cityHash64(toDecimal128(0, 9)), f.balance, f.last)",
        ),
        HELD,
        per_row("operations", "UInt64", "how many"),
    ),
    f"""(
  SELECT tenant, {looked_up("wallet", "account", "wallet")} AS account, wallet, toDecimal128(sum(amount), 9) AS balance,
    argMax(balance_after, (claim, block, record, branch, item, part)) AS last, count() AS operations,
    sumWithOverflow(cityHash64(balance_after)) - sumWithOverflow(cityHash64(toDecimal128(balance_after - amount, 9))) AS steps
  FROM {_OPERATIONS} GROUP BY tenant, wallet
) AS f""",
)

REVENUE = View(
    "revenue",
    "One row per account, charge and day of usage (UTC).",
    (
        TENANT,
        ACCOUNT,
        ACCOUNT_ID,
        per_row("charge", "String", "charge"),
        per_row("event_day", "Date", "day on which the usage started (UTC)"),
        per_row("currency", "String", "ISO 4217 code"),
        per_row("items", "UInt64", "rated items that stand"),
        per_row("amount", BALANCE, "sum of their amounts"),
    ),
    f"""(
  SELECT tenant, account, {looked_up("charge_version", "charge", "charge_version")} AS charge,
    {looked_up("charge_version", "currency", "charge_version")} AS currency, event_day,
    sum(items) AS items, sum(amount) AS amount
  FROM (
    SELECT tenant, account, charge_version, toDate(event_at) AS event_day,
      toUInt64(count() - 2 * countIf({IS_REVERSAL})) AS items, sum(amount) AS amount
    FROM {DATABASE}.fact_usage AS f GROUP BY tenant, account, charge_version, event_day
  ) GROUP BY tenant, account, charge, currency, event_day
) AS f""",
)

_OPEN_START = "toDateTime64('1900-01-01 00:00:00', 6, 'UTC')"
_OPEN_END = "toDateTime64('2299-12-31 00:00:00', 6, 'UTC')"


def _owner(column: str) -> str:
    return f"if(f.{column} < 0, '', {looked_up('subscription', 'code', f'toUInt32(f.{column})')})"


ACCESS_TRANSFER = View(
    "access_transfer",
    "One row per period in which an access point changed hands when another catalog took effect.",
    (
        TENANT,
        per_row("access_point", "String", "the identifier", looked_up("access_point", "code", "f.access_point")),
        per_row("from_subscription", "String", "who owned it in that period; empty: nobody",
                 _owner("from_subscription")),
        per_row("to_subscription", "String", "who owns it in that period from now on; empty: nobody",
                 _owner("to_subscription")),
        per_row("at", f"Nullable({TIMESTAMP})", "start of the period (UTC); null: it has none",
                 f"nullIf(f.start_at, {_OPEN_START})"),
        per_row("until", f"Nullable({TIMESTAMP})", "end of the period (UTC), exclusive; null: it has none",
                 f"nullIf(f.end_at, {_OPEN_END})"),
        per_row("activated_at", TIMESTAMP, "when the catalog took effect (UTC)", "f.at"),
        per_row("retroactive", "Bool", "whether a part of the period had passed by then", "toBool(f.start_at < f.at)"),
        per_row("claim", "UInt32", "journal entry of the activation"),
        DAY,
    ),
    f"{DATABASE}.fact_access_transfer AS f",
)  # fmt: skip

ASSEMBLED_PART = View(
    "assembled_part",
    "One row per record that became a part of the EDR of a session.",
    (
        per_row("edr", "String", "the EDR, branch 0: edr-CLAIM-RECORD",
                 "concat('edr-', toString(f.claim), '-', toString(f.record))"),
        per_row("claim", "UInt32", "journal entry that made the EDR: the one that completed the session, or a tick"),
        per_row("record", "UInt32", "the EDR's record number within it"),
        TENANT,
        SOURCE,
        per_row("part_claim", "UInt32", "journal entry that brought the part"),
        per_row("part_record", "UInt32", "its record number within it"),
        per_row("late", "Bool", "whether it came after its session had ended, and is an EDR of its own",
                 "toBool(f.late)"),
        DAY,
    ),
    f"{DATABASE}.fact_assembled_part AS f",
)  # fmt: skip

_GAPS = f"""(
  SELECT tenant, source, stream, first, claim,
    count() OVER seen AS earlier, max(last) OVER seen AS reached,
    argMax(claim, (last, -toInt64(claim))) OVER seen AS reached_by
  FROM {DATABASE}.fact_sequence_run
  WINDOW seen AS (
    PARTITION BY tenant, source, stream ORDER BY first, last, claim ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  )
)"""

SEQUENCE_GAP = View(
    "sequence_gap",
    "One row per gap in the numbers of a stream, between the lowest and the highest seen.",
    (
        TENANT,
        SOURCE,
        per_row("stream", "String", "what counts: the texts of the fields that tell streams apart, joined by /"),
        per_row("missing_from", "UInt64", "first number that nobody saw", "f.reached + 1"),
        per_row("missing_to", "UInt64", "last number of the gap", "toUInt64(f.first - 1)"),
        per_row("missing", "UInt64", "how many", "toUInt64(f.first - f.reached - 1)"),
        per_row("seen_before", "UInt32", "journal entry that brought the number before the gap", "f.reached_by"),
        per_row("seen_after", "UInt32", "journal entry that brought the number after it", "f.claim"),
    ),
    f"{_GAPS} AS f WHERE f.earlier > 0 AND f.first > f.reached + 1",
)

REVERSED_ITEM = View(
    "reversed_item",
    "One row per rated item that was taken back: by which item, and what took its place.",
    (
        per_row("item", "String", "the item that was taken back: ri-CLAIM-RECORD, as in rated_item",
                 "concat('ri-', toString(f.reversed_claim), '-', toString(f.reversed_record), "
                 "if(f.reversed_branch = 0, '', concat('-', toString(f.reversed_branch))), "
                 "if(f.reversed_item = 0, '', concat('.', toString(f.reversed_item))))"),
        per_row("reversal", "String", "the item that takes it back",
                 "concat('ri-', toString(f.claim), '-', toString(f.record), "
                 "if(f.reversed_item = 0, '', concat('.', toString(f.reversed_item))))"),
        per_row("replaced_by", "String", "the item that took its place when it was rated again, of several the first; empty: "
                 "none, or it is unrated now", "if(u.claim = 0, '', concat('ri-', toString(u.claim), '-', toString(u.record), "
                 "if(u.branch = 0, '', concat('-', toString(u.branch)))))"),
        per_row("cause", "String", "back_out, superseded, reopened or rerated"),
        per_row("counter", "String", "none, lowered, or left: its period was no longer kept"),
        per_row("claim", "UInt32", "journal entry that took it back"),
        TENANT,
        SOURCE,
        DAY,
    ),
    f"""{DATABASE}.fact_reversal AS f
LEFT JOIN (
  SELECT claim, record, branch FROM {DATABASE}.fact_usage WHERE item = 0 AND claim IN (
    SELECT claim FROM {DATABASE}.fact_reversal WHERE replaced_by > 0
  )
) AS u ON u.claim = f.claim AND toUInt64(u.record) + 1 = toUInt64(f.replaced_by)""",
)  # fmt: skip

BILLED_ITEM = View(
    "billed_item",
    "One row per rated item that an invoice holds: refunds, too, once they are on one.",
    (
        per_row("item", "String", "the item: ri-CLAIM-RECORD, as in rated_item",
                 f"concat('ri-', toString(f.claim), '-', toString(f.record), {BRANCH_ID}, {ITEM_ID})"),
        per_row("invoice", "String", "the invoice's number"),
        per_row("line", "UInt32", "the line that it is on; 0 where that was not said"),
        per_row("billed_at", TIMESTAMP, "when that was journaled (UTC)", "f.at"),
        per_row("claim", "UInt32", "journal entry that said so", "f.by_claim"),
        DAY,
    ),
    f"{DATABASE}.fact_billed AS f",
)  # fmt: skip

VIEWS: tuple[View, ...] = (
    EDR,
    RATED_ITEM,
    WALLET_OPERATION,
    REJECTION,
    RECORD_SHEET,
    EDR_SHEET,
    ACCOUNT_BALANCE,
    REVENUE,
    ACCESS_TRANSFER,
    FILE,
    ASSEMBLED_PART,
    SEQUENCE_GAP,
    REVERSED_ITEM,
    NOTIFICATION,
    WALLET_REQUEST,
    BILLED_ITEM,
    *INVOICE_VIEWS,
    *ANALYST_VIEWS,
)
"""Every view of the contract."""
