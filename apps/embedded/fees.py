"""Charging fees: what is due and was not asked yet becomes a file of usage, claimed as any other file is.

What was asked is in the files that were claimed before and not backed out, so that a crash, a repeat and a replay ask nothing
twice.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl

from apps.embedded.engine import Engine
from apps.embedded.fees_due import counted_of, price_fees
from billing.invoicing.rules_least import SPENT_FRAME, Counting, minimums_to_ask
from billing.subscriptions.rules_asking import ASKED_FRAME, KEY, OF_MINIMUMS, TermsDiffer, to_ask
from pipelines.spool.claims import Arrival
from pipelines.spool.files import durable_file
from pipelines.spool.journal import FileClaim
from pipelines.spool.lifecycle import decisions
from schemas.fees import DAY_AFTER, DENOMINATOR, FEE, FEES, FIRST_DAY, NUMERATOR, SCOPES
from schemas.money import AMOUNT_DECIMALS, from_scaled, to_scaled

AHEAD_MAX = timedelta(days=400)
"""How far ahead fees are charged: who means 2026 does not write 2062."""
LISTED_MAX = 1000
ASKED_AT_ONCE = 10_000
_RATED = """
SELECT subscription, charge AS fee, toInt64(toUnixTimestamp64Micro(event_at)) AS key_at, toInt64(count()) AS rated
FROM rated_item
WHERE source = {source:String} AND status IN ('rated', 'billed') AND subscription IN {subscriptions:Array(String)}
GROUP BY subscription, fee, key_at
"""
_SPENT = """
SELECT {by} AS whose, toString(sum(amount)) AS rated,
  toInt64(sum(if(source = {{source:String}} AND quantity = 0, 0, if(status IN ('reversal', 'refund'), -1, 1)))) AS items
FROM rated_item
WHERE charge {which} {{charges:Array(String)}} AND currency = {{currency:String}}
  AND event_at >= fromUnixTimestamp64Micro({{begin:Int64}}) AND event_at < fromUnixTimestamp64Micro({{end:Int64}})
GROUP BY whose
"""
_CAME_TO_NOTHING = """
SELECT claim FROM fact_claim WHERE status = 'quarantined' AND claim NOT IN (SELECT claim FROM fact_block)
"""
NOTHING: dict[str, Any] = {"claim": 0, "rated": 0, "refused": 0, "amounts": {}}
_NAME = re.compile(r"(?:fees|minimums)-until-(\d{4}-\d{2}-\d{2})\.parquet")


class UnableToChargeFees(Exception):
    """Fees cannot be charged until that day; nothing changed."""


def charge_fees(engine: Engine, until: str, *, preview: bool) -> dict[str, Any]:
    """Charge what is due of fees until a day (`to_ask`), or say what that is.

    Raises:
        UnableToChargeFees: when the day is none, lies too far ahead or before one until which fees were charged; when the
            catalog in force has no fees, or counts the periods of one otherwise than before.
    """
    engine.flush()
    day = _day(engine, until)
    catalog = engine.active.catalog if engine.active is not None else None
    if catalog is None or not catalog.fees:
        raise UnableToChargeFees("the catalog in force has no fees: declare charges of fees, such as recurring_charge")
    charged = _charged(engine)
    last = max((until for _, until in charged.values()), default="")
    if last > day.isoformat():
        raise UnableToChargeFees(f"fees are charged until {last} already: say that day, or a later one")
    asked = _asked(engine, charged)
    try:
        found = to_ask(catalog, asked, day)
    except TermsDiffer as error:
        raise UnableToChargeFees(str(error)) from error
    rows = _without_what_waits(engine, found, asked)
    waiting = len(found) - len(rows)
    # minimums count fees, and those of narrower scopes, so that these are charged first
    done = [NOTHING] if preview else [_claim(engine, rows, day, "fees")]
    due = [price_fees(engine, rows)] if preview and catalog.minimum_charges else []
    scopes = {each.scope for each in catalog.minimum_charges.values()}
    for scope in (each for each in SCOPES if each in scopes):
        found = minimums_to_ask(catalog, asked, day, partial(_spent, engine, due), scope)
        least = _without_what_waits(engine, found, asked)
        waiting += len(found) - len(least)
        rows = pl.concat([rows, least])
        if preview:
            due.append(price_fees(engine, least))
        done.append(NOTHING if preview else _claim(engine, least, day, "minimums"))
    rows = rows.filter(pl.col("quantity") != 0)
    told = {
        "until": day.isoformat(),
        "charged": len(rows.filter(pl.col("quantity") > 0)),
        "taken_back": len(rows.filter(pl.col("quantity") < 0)),
        "waiting": waiting,
        "subscriptions": rows["subscription"].n_unique(),
    }
    if preview:
        return told | {
            "rows": [_row(row) for row in rows.head(LISTED_MAX).to_dicts()],
            "left": max(0, len(rows) - LISTED_MAX),
        }
    return told | _together(done)


def _together(done: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what some claims come to; `claim` is the first of them."""
    amounts: dict[str, Decimal] = {}
    for currency, amount in (pair for each in done for pair in each["amounts"].items()):
        amounts[currency] = amounts.get(currency, Decimal(0)) + Decimal(amount)
    return {
        "claim": next((each["claim"] for each in done if each["claim"]), 0),
        "claims": [each["claim"] for each in done if each["claim"]],
        "rated": sum(each["rated"] for each in done),
        "refused": sum(each["refused"] for each in done),
        "amounts": {currency: str(amount) for currency, amount in sorted(amounts.items())},
    }


def _spent(engine: Engine, due: list[pl.DataFrame], asked: Counting) -> pl.DataFrame:
    """Return SPENT_FRAME of what is stored, and of what is `due` besides in a preview."""
    parameters = {
        "charges": list(asked.without if asked.only is None else asked.only),
        "currency": asked.currency,
        "begin": asked.begin,
        "end": asked.end,
        "source": FEES,
    }
    which = "NOT IN" if asked.only is None else "IN"
    rows = engine.store.query(_SPENT.format(by=asked.by, which=which), parameters).to_pydict()
    rated = [int(to_scaled(Decimal(amount), AMOUNT_DECIMALS)) for amount in rows["rated"]]
    stored = pl.DataFrame({**rows, "rated": rated}, schema=SPENT_FRAME)
    if not due:
        return stored
    more = counted_of(pl.concat(due), asked)
    return pl.concat([stored, more]).group_by("whose", maintain_order=True).agg(pl.col("rated", "items").sum())


def _day(engine: Engine, until: str) -> date:
    try:
        day = date.fromisoformat(until)
    except ValueError as error:
        raise UnableToChargeFees(f'"{until}" is no day: write it as 2026-09-01') from error
    furthest = datetime.fromtimestamp(engine.now() / 1_000_000, UTC).date() + AHEAD_MAX
    if day > furthest:
        raise UnableToChargeFees(f"{day} lies too far ahead: fees are charged until {furthest} at most")
    return day


def _charged(engine: Engine) -> dict[str, tuple[str, str]]:
    """Return the files in which fees were asked: what they are called and until when that was, by name in the archive.

    Without those that were backed out, and those refused whole: a crash left them for a catalog without fees.
    """
    nothing: list[Any] = engine.store.query(_CAME_TO_NOTHING, {})["claim"].to_pylist()
    withdrawn = decisions(engine.journal.entries).withdrawn.union(nothing)
    return {
        entry.stored: (entry.name, found[1])
        for entry in engine.journal.entries
        if isinstance(entry, FileClaim)
        and entry.source == FEES
        and entry.claim not in withdrawn
        and not entry.corrects
        and (found := _NAME.fullmatch(entry.name))
    }


def _asked(engine: Engine, charged: dict[str, tuple[str, str]]) -> pl.DataFrame:
    asked = [pl.DataFrame(schema=ASKED_FRAME)]
    for stored, (name, _) in charged.items():
        try:
            read = pl.read_parquet(engine.directory.spool.archive / stored)
            # files from before minimums were told apart do not say of which scope theirs are
            scope = "unknown" if name.startswith("minimums") else None
            added = {each: scope if each == "scope" else None for each in OF_MINIMUMS if each not in read.columns}
            read = read.with_columns(**{each: pl.lit(value, pl.String) for each, value in added.items()})
            asked.append(read.select(ASKED_FRAME.names()))
        except (OSError, pl.exceptions.PolarsError) as error:
            told = f"archive/{stored}, which says what was charged, cannot be read: {str(error).splitlines()[0]}"
            raise UnableToChargeFees(told) from error
    return pl.concat(asked)


def _without_what_waits(engine: Engine, found: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """Return what is to be asked, but nothing taken back of what is not charged: what was refused waits, or was discarded."""
    back = found.filter(pl.col("quantity") < 0)
    counts = asked.join(back, on=KEY, how="semi").group_by(KEY).agg(asked=pl.len().cast(pl.Int64))
    some = [pl.DataFrame(schema={**{name: ASKED_FRAME[name] for name in KEY}, "rated": pl.Int64})]
    for part in back["subscription"].unique().sort().to_frame().iter_slices(ASKED_AT_ONCE):
        rows = engine.store.query(_RATED, {"source": FEES, "subscriptions": part["subscription"].to_list()})
        some.append(pl.DataFrame(rows.to_pydict(), schema=some[0].schema))
    short = counts.join(pl.concat(some), on=KEY, how="left").filter(pl.col("asked") > pl.col("rated").fill_null(0))
    return pl.concat([found.filter(pl.col("quantity") >= 0), back.join(short, on=KEY, how="anti")]).sort(KEY)


def _claim(engine: Engine, rows: pl.DataFrame, day: date, what: str) -> dict[str, Any]:
    if rows.is_empty():
        return NOTHING
    spool, name = engine.directory.spool, f"{what}-until-{day}.parquet"
    path = spool.incoming / FEES / f".{name}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with durable_file(path) as handle:
        rows.write_parquet(handle)
    arrival = Arrival(FEES, name, path)
    (entry,) = spool.claim_all(engine.journal, [arrival], now=engine.now(), terms=engine.terms)
    report = engine.process(entry)
    engine.flush()
    amounts = report.amounts(engine.state.vocabulary.currencies)
    return {
        "claim": entry.claim,
        "rated": report.total("rated"),
        "refused": sum(map(report.total, ("rejected", "parked", "unrated"))),
        "amounts": {code: str(from_scaled(total, AMOUNT_DECIMALS)) for code, total in sorted(amounts.items())},
    }


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """Return what is asked, for people and programs."""
    sign = "-" if row["quantity"] < 0 else ""
    share = f"{sign}{row[NUMERATOR]}" + (f"/{row[DENOMINATOR]}" if row[DENOMINATOR] > 1 else "")
    return {
        "subscription": row["subscription"],
        "fee": row[FEE],
        "from": row[FIRST_DAY].isoformat(),
        "to": row[DAY_AFTER].isoformat(),
        "share": share,
    }
