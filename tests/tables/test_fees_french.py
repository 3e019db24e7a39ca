"""Fees of French energy, to the cent: the four named prorations, prices by the year and the kVA, and rates of tax that change."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import polars as pl
import pytest
from rating_world import catalog_from

from billing.subscriptions.rules_asking import ASKED_FRAME, to_ask
from schemas.catalog import Catalog
from schemas.fees import DENOMINATOR, FIRST_DAY, NUMERATOR

CENT = Decimal("0.01")


def _catalog(terms: str, sold: str, price: str = "123.72") -> Catalog:
    return catalog_from(
        f"{{kind: price_plan, code: p, currency: EUR, versions: [{{start: 2020-01-01T00:00:00+01:00, model: event, price: '{price}'}}]}}",
        "{kind: tax, code: vat, versions: [{start: 2014-01-01T00:00:00+01:00, end: 2025-08-01T00:00:00+02:00, rate: '5.5'}, "
        "{start: 2025-08-01T00:00:00+02:00, rate: 20}]}",
        "{kind: seller, code: s, country: FR, prices: net, tax_category: c}\n---\n{kind: tax_category, code: c}",
        "{kind: tax_mapping, code: m, rows: [{tax_category: c, tax: vat}]}",
        f"{{kind: recurring_charge, code: f, price_plan: p, zone: Europe/Paris, priced_per: year, {terms}}}",
        "{kind: offer, code: o, charges: [f]}\n---\n{kind: account, code: a, currency: EUR}",
        f"{{kind: subscription, code: x, account: a, offer: o, {sold}}}",
    )


def _asked(catalog: Catalog, until: date, price: str = "123.72") -> list[tuple[date, Decimal]]:
    rows = to_ask(catalog, pl.DataFrame(schema=ASKED_FRAME), until)
    return [
        (day, (Decimal(price) * above / below).quantize(CENT, ROUND_HALF_UP))
        for day, above, below in rows.select(FIRST_DAY, NUMERATOR, DENOMINATOR).iter_rows()
    ]


@pytest.mark.parametrize(
    ("basis", "amount"),
    [("month_12", "7.11"), ("actual_365", "6.78"), ("actual_actual", "6.76"), ("actual_360", "6.87")],
)
def test_twenty_days_of_february_2024_by_the_four_named_rules(basis: str, amount: str) -> None:
    sold = "start: 2024-02-01T00:00:00+01:00, end: 2024-02-21T00:00:00+01:00"
    asked = _asked(_catalog(f"basis: {basis}", sold), date(2024, 2, 21))
    assert asked == [(date(2024, 2, 1), Decimal(amount))]


def test_a_fee_per_unit_is_due_for_each_that_the_subscription_has() -> None:
    """10.08 EUR a year for each of 9 kVA: 7.56 a month; the 30 days of a half month in 365ths are exact, too."""
    catalog = _catalog("per_unit: kVA, basis: month_12", "units: {kVA: 9}, start: 2025-02-01T00:00:00+01:00", "10.08")
    assert _asked(catalog, date(2025, 3, 1), "10.08") == [(date(2025, 2, 1), Decimal("7.56"))]
    assert not len(
        to_ask(catalog, to_ask(catalog, pl.DataFrame(schema=ASKED_FRAME), date(2025, 3, 1)), date(2025, 3, 1))
    )


def test_a_power_that_changes_is_charged_from_its_day_on_and_what_was_paid_in_advance_is_taken_back() -> None:
    """10.08 EUR a year for each kVA is 0.84 a month: 5.04 for six; of September, 15 of 30 days at six and 15 at nine."""
    terms, start = "per_unit: kVA, basis: month_12, in_advance: true", "start: 2025-08-01T00:00:00+02:00"
    before = _catalog(terms, f"units: {{kVA: 6}}, {start}", "10.08")
    asked = to_ask(before, pl.DataFrame(schema=ASKED_FRAME), date(2025, 9, 2))
    assert len(asked) == 2
    counts = "[{count: 6}, {start: 2025-09-16T00:00:00+02:00, count: 9}]"
    after = _catalog(terms, f"units: {{kVA: {counts}}}, {start}", "10.08")
    more = to_ask(after, asked, date(2025, 10, 2))
    shares = more.select(FIRST_DAY, pl.col("quantity") * pl.col(NUMERATOR), DENOMINATOR).rows()
    told = [(day, (Decimal("10.08") * above / below).quantize(CENT)) for day, above, below in shares]
    september = (date(2025, 9, 1), Decimal("-2.52")), (date(2025, 9, 16), Decimal("3.78"))
    assert told == [*september, (date(2025, 10, 1), Decimal("7.56"))]
    assert not len(to_ask(after, pl.concat([asked, more]), date(2025, 10, 2)))


@pytest.mark.parametrize(
    ("cut", "days"), [("false", [date(2025, 7, 15)]), ("true", [date(2025, 7, 15), date(2025, 8, 1)])]
)
def test_a_month_over_a_change_of_vat_is_one_piece_or_two(cut: str, days: list[date]) -> None:
    terms = f"cut_at_tax: {cut}, anchor: subscription, basis: actual_365, in_advance: true"
    asked = _asked(_catalog(terms, "start: 2025-07-15T00:00:00+02:00"), date(2025, 8, 1))
    assert [day for day, _ in asked] == days
    assert sum(amount for _, amount in asked) == Decimal("10.51")  # 31 of 365 days
