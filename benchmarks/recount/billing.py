"""What invoices of `benchmarks.billing` must come to: from its files alone, in integers, by other code than the product's."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

_CENT, _EURO, _RATE_ONE = 10_000_000, 10**9, 10_000
_MONTH = (1_767_222_000, 1_769_900_400)
"""January 2026 in Paris, seconds UTC."""
_USAGE = ("call", "sms", "data")
_PER = {"1 s": 1, "1 event": 1, "1 kB": 1000}
_FEES = ("line", "option", "insurance")


def recount_billing(directory: Path) -> pl.DataFrame:
    """Return a row for each account, by its code, with what it has to get.

    `items` (fees and minimums too) and `invoiced`; in billionths `discount`, `net`, `tax`, `gross`, `paid` and `to_pay`, all
    zero where there is no invoice, and `rated`: what was charged in any case.
    """
    documents = list(yaml.safe_load_all((directory / "catalog" / "billing.yaml").read_text("utf-8")))
    told = {(each["kind"], each["code"]): each for each in documents if "code" in each}
    customers = pl.read_csv(directory / "catalog" / "customers.csv", infer_schema=False)
    used = _used(directory, told)
    caller = pl.col("access_point").str.slice(3).cast(pl.Int64)
    wide = customers.with_columns(number=caller).join(used, on="number", how="left", maintain_order="left")
    call, sms, data = (wide[name].fill_null(0).to_numpy() for name in _USAGE)
    line, option, insurance, least = (_price(told, name) for name in (*_FEES, "least"))
    rated = call + sms + data + line + option + insurance
    bound = (wide["offer"] == "committed").to_numpy()
    lacking = np.where(bound, np.maximum(least - rated, 0), 0)
    off_calls, off_line = _discounts(told, wide, call, line)
    plain, content = call + sms + line + option + insurance + lacking - off_calls - off_line, data
    threshold = _billionths(told["billing_cycle", "monthly"]["threshold"])
    invoiced = plain + content >= threshold
    exempt = wide["tax_exemption"].is_not_null().to_numpy()
    business = (wide["tax_category"] == "business").to_numpy()
    abroad = business & (wide["country"] == "DE").to_numpy()
    apart = ~exempt & ~business  # only consumers have a reduced rate: elsewhere all has the same taxes
    first = _rounded(np.where(apart, plain, plain + content), _CENT)
    second = _rounded(np.where(apart, content, 0), _CENT)
    full, reduced = (_rate(told, name) for name in ("vat", "vat-reduced"))
    tax = _rounded(first * np.where(exempt | abroad, 0, full) // _RATE_ONE, _CENT)
    tax += _rounded(second * reduced // _RATE_ONE, _CENT)
    net, total = first + second, rated + lacking
    credit = wide["prepaid_balance"].fill_null("0").cast(pl.Int64).to_numpy() * _EURO
    paid = np.minimum(credit, total)
    coin = _billionths(told["billing_cycle", "monthly"]["cash_rounding"])
    columns = {
        "discount": -(off_calls + off_line),
        "net": net,
        "tax": tax,
        "gross": net + tax,
        "paid": paid,
        "to_pay": _rounded(net + tax - paid, coin),
    }
    items = wide["items"].fill_null(0).to_numpy() + len(_FEES) + (lacking > 0)
    return wide.select(
        "account",
        items=pl.Series(items, dtype=pl.Int64),
        invoiced=pl.Series(invoiced),
        rated=pl.Series(total, dtype=pl.Int64),
        **{name: pl.Series(np.where(invoiced, value, 0), dtype=pl.Int64) for name, value in columns.items()},
    ).sort("account")


def _used(directory: Path, told: dict[tuple[str, str], Any]) -> pl.DataFrame:
    """Return `number`, `items`, and what calls, messages and data of the month come to, in billionths."""
    prices = {name: told["price_plan", name]["versions"][0] for name in _USAGE}
    each = {name: _billionths(version["price"]) for name, version in prices.items()}
    seconds = pl.col("at").str.to_datetime("%Y-%m-%dT%H:%M:%SZ").dt.epoch("s")
    rows = (
        pl.scan_csv(sorted((directory / "spool" / "usage").glob("usage-*.csv")), schema_overrides={"at": pl.String})
        .filter(seconds.is_between(*_MONTH, closed="left"))
        .group_by("caller", "type")
        .agg(items=pl.len().cast(pl.Int64), quantity=pl.col("quantity").cast(pl.Int64).sum())
        .collect(engine="streaming")
    )
    per = {name: _PER[version["per"]] for name, version in prices.items()}
    # whole units only, so that no item has a rounding of its own
    assert rows.filter(pl.col("quantity") % pl.col("type").replace_strict(per) != 0).is_empty()
    amount = pl.col("quantity") // pl.col("type").replace_strict(per) * pl.col("type").replace_strict(each)
    by = {name: pl.col("amount").filter(pl.col("type") == name).sum() for name in _USAGE}
    return (
        rows.with_columns(amount=amount)
        .group_by(number=pl.col("caller") % 100_000_000)
        .agg(items=pl.col("items").sum(), **by)
    )


def _discounts(told: dict[tuple[str, str], Any], wide: pl.DataFrame, call: Any, line: int) -> tuple[Any, Any]:
    """Return what is taken off calls, and off the fee of the line."""
    tenth, gift = told["discount_plan", "tenth"], told["discount_plan", "gift"]
    percent = int(tenth["items"][0]["value"])
    off = np.minimum(_rounded(call * percent // 100, _CENT), _billionths(tenth["limits"]["amount"]))
    fixed = min(_billionths(gift["items"][0]["value"]), line)
    has = wide["discount"].fill_null("")
    return np.where((has == "tenth").to_numpy(), off, 0), np.where((has == "gift").to_numpy(), fixed, 0)


def _price(told: dict[tuple[str, str], Any], plan: str) -> int:
    return _billionths(told["price_plan", plan]["versions"][0]["price"])


def _rate(told: dict[tuple[str, str], Any], tax: str) -> int:
    return int(Decimal(str(told["tax", tax]["versions"][0]["rate"])) * _RATE_ONE / 100)


def _billionths(text: Any) -> int:
    return int(Decimal(str(text)) * _EURO)


def _rounded(amount: Any, step: int) -> Any:
    """Return amounts rounded half up to a step; negative ones mirror positive ones."""
    return np.sign(amount) * ((2 * np.abs(amount) + step) // (2 * step)) * step
