"""Whether everything that is sold has a tax, at every time at which it can be used."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl

from billing.catalog.models import Entry
from billing.catalog.parties import Parties
from billing.catalog.rows import Check
from billing.catalog.taxation import FACTS, Key, Stretch, Taxation, situation_words
from schemas.catalog import TIME_MAX, TIME_MIN, Catalog
from schemas.expressions import names_of, parse_expression
from schemas.price_plan import LEVELS, Charge, utc_microseconds

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check_tax_coverage(check: Check, catalog: Catalog, parties: Parties) -> None:
    """Say which accounts have no tax category, and which combinations have no tax while they can be used.

    Args:
        check: where problems go. catalog: one without any other problem; nothing is asked of it where it has no taxes.
        parties: the same parties, with their origins.
    """
    if not catalog.has_taxes:
        return
    taxation = Taxation(catalog)
    bought = _with_facts(catalog, taxation)
    _check_categories(check, bought, parties)
    conditions = {row.condition for mapping in catalog.tax_mappings.values() for row in mapping.rows}
    read = {name for text in conditions if text is not None for name in names_of(parse_expression(text))}
    alike = [
        "offer",
        "tax_category",
        "country",
        "contracts",
        *(name for name in ("account", "subscription") if name in read),
    ]
    bought = bought.join(_contracts(catalog), on="account", how="left")
    usable = _islands(_windows(bought.drop_nulls("tax_category"), catalog), alike)
    in_units = {code for code, one in catalog.charges.items() if catalog.price_plans[one.price_plan].in_units}
    # units that wallets hold were taxed when they were sold
    offers = catalog.offers.items()
    charges = [(code, charge) for code, offer in offers for charge in offer.charges if charge not in in_units]
    sold = usable.select("subscription", "account", "offer", "contracts", "start_at", "end_at").join(
        pl.DataFrame(charges, schema={"offer": pl.String, "charge": pl.String}, orient="row"), on="offer"
    )
    told = taxation.situations(sold.drop("account", "offer"))
    _report(check, catalog, taxation, told.sort("charge", "subscription", "start_at"))


def _with_facts(catalog: Catalog, taxation: Taxation) -> pl.DataFrame:
    """Return the subscriptions with what their accounts say, and the category of the seller where those say none."""
    default = {
        code: catalog.sellers[taxation.seller_of(offer.seller)].tax_category for code, offer in catalog.offers.items()
    }
    category = pl.col("offer").replace_strict(default, return_dtype=pl.String)
    facts = taxation.accounts(catalog.subscriptions["account"].unique())
    return catalog.subscriptions.join(facts, on="account", how="left").with_columns(
        pl.col("tax_category").fill_null(category)
    )


def _check_categories(check: Check, bought: pl.DataFrame, parties: Parties) -> None:
    lacking = bought.filter(pl.col("tax_category").is_null()).select("account").unique()
    rows = parties.accounts.join(lacking, on="account", how="semi")
    check.refuse(
        rows,
        "tax_category",
        ("tax_category",),
        lambda row: (
            f'the account "{row["account"]}" has no tax category, and neither has a parent or the seller',
            "add `tax_category: …`; that of a seller is for all accounts that name none",
        ),
    )


def _windows(bought: pl.DataFrame, catalog: Catalog) -> pl.DataFrame:
    """Return one row for every stretch of time in which a subscription can be used and its account is not exempt."""
    windows = bought.join(
        catalog.access_points.select("subscription", "start_at", "end_at"), on="subscription", how="left"
    ).with_columns(pl.col("start_at").fill_null(TIME_MIN), pl.col("end_at").fill_null(TIME_MAX))
    exempt = windows.filter(pl.col("exempt_start_at").is_not_null())
    return pl.concat(
        [
            windows.filter(pl.col("exempt_start_at").is_null()),
            exempt.with_columns(end_at=pl.min_horizontal("end_at", "exempt_start_at")),
            exempt.with_columns(start_at=pl.max_horizontal("start_at", "exempt_end_at")),
        ]
    ).filter(pl.col("start_at") < pl.col("end_at"))


def _islands(windows: pl.DataFrame, alike: list[str]) -> pl.DataFrame:
    """Return the unions of the windows of those that are alike, each with the first of them."""
    distinct = windows.group_by(*alike, "start_at", "end_at").agg(
        pl.col(name).min() for name in ("subscription", "account", "offer") if name not in alike
    )
    ordered = distinct.sort(*alike, "start_at", "subscription", nulls_last=True)
    before = pl.col("end_at").cum_max().shift(1).over(alike)
    numbered = ordered.with_columns(island=(pl.col("start_at") > before).fill_null(value=True).cum_sum())
    return numbered.group_by("island", maintain_order=True).agg(
        pl.col("start_at").min(),
        pl.col("end_at").max(),
        pl.col("subscription", "account", "offer", "contracts").first(),
    )


def _report(check: Check, catalog: Catalog, taxation: Taxation, sold: pl.DataFrame) -> None:
    """Say of each charge and situation the first time at which it has no tax, with an account that it is sold to."""
    entries = check.ctx.documents.of(Charge)
    known: dict[tuple[Key, tuple[bool, ...]], list[Stretch]] = {}
    told = set()
    for row in sold.iter_rows(named=True):
        class_, category, seller, buyer = (row[name] for name in FACTS)
        facts: Key = (class_, category, seller, buyer)
        holds = tuple(row[name] for name in taxation.asked)
        if (facts, holds) not in known:
            known[facts, holds] = taxation.stretches(facts, holds)
        stretches = known[facts, holds]
        negotiated = (row["contracts"] or "").split("/")
        for start, end in _priced(catalog, row["charge"], row["offer"], negotiated, row["start_at"], row["end_at"]):
            found = next((s for s in stretches if s.tax is None and s.start_at < end and start < s.end_at), None)
            if found is not None and (row["charge"], facts, found.reason) not in told:
                told.add((row["charge"], facts, found.reason))
                _refuse(check, entries[row["charge"]], row["account"], facts, max(start, found.start_at), found)


def _priced(
    catalog: Catalog, charge: str, offer: str, contracts: list[str], start_at: int, end_at: int
) -> Iterator[tuple[int, int]]:
    """Yield the parts of a period in which a charge has a price, of its plan or of one that a contract has for it."""
    document = catalog.charges[charge]
    plans = [(document.price_plan, TIME_MIN, TIME_MAX)]
    for code in filter(None, contracts):
        contract = catalog.contracts[code]
        since = utc_microseconds(contract.start)
        until = utc_microseconds(contract.end) if contract.end is not None else TIME_MAX
        item = contract.item_for(offer, charge, document.event_type)
        if item is not None and item.price_plan is not None:
            plans.append((item.price_plan, since, until))
    for plan, since, until in plans:
        for version in catalog.price_plans[plan].versions:
            start = max(start_at, since, utc_microseconds(version.start))
            end = min(end_at, until, utc_microseconds(version.end) if version.end is not None else TIME_MAX)
            if start < end:
                yield start, end


def _contracts(catalog: Catalog) -> pl.DataFrame:
    """Return the accounts that have contracts with plans of their own, or are below one: account, codes with "/" between."""
    held = pl.DataFrame(
        [
            (contract.account, code)
            for code, contract in sorted(catalog.contracts.items())
            if any(item.price_plan is not None for item in contract.items)
        ],
        schema={"at": pl.String, "contracts": pl.String},
        orient="row",
    )
    parents = catalog.account_tree.select(at="account", parent="parent")
    reached = (catalog.accounts if len(held) else catalog.accounts.clear()).select("account", at="account")
    found = []
    for _ in LEVELS:
        found.append(reached.join(held, on="at").select("account", "contracts"))
        reached = reached.join(parents, on="at").drop_nulls("parent").select("account", at="parent")
    return pl.concat(found).group_by("account").agg(pl.col("contracts").sort().str.join("/"))


def _refuse(check: Check, entry: Entry[Charge], account: str, facts: Key, at: int, stretch: Stretch) -> None:
    class_, category, seller, buyer = facts
    moment = (_EPOCH + timedelta(microseconds=at)).replace(tzinfo=None).isoformat() + "Z"
    message = (
        f'from {moment} on the charge "{entry.document.code}" has no tax for the account "{account}": {stretch.reason}'
    )
    if stretch.row is not None:
        message += f" ({stretch.row})"
        fix = "add a version to the tax, or end the row before"
    else:
        asked = {"tax_class": class_, "tax_category": category, "seller_country": seller, "buyer_country": buyer}
        row = ", ".join(f"{name}: {value}" for name, value in asked.items() if value is not None)
        fix = f"add a row to a `tax_mapping`, such as {{{row}, tax: …}}"
    check.ctx.problems.at(entry, (), f"{message} ({situation_words(facts)})", fix)
