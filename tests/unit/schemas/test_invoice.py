"""An invoice adds up, or is refused with the ids of the rules that it breaks."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.invoice import Invoice, invoice_of
from schemas.invoice_parts import AllowanceCharge, InvoiceLine, LineTax
from schemas.invoice_sums import Exemption, line_amount, tax_sums
from schemas.money import RoundingMode

SELLER = {"name": "Voltige", "vat_id": "FR32123456789", "address": {"country": "FR"}}
BUYER = {"name": "Martin", "address": {"country": "FR"}}
STANDARD = LineTax(category="S", rate=Decimal(20))


def line(
    number: int, quantity: str, price: str, tax: LineTax = STANDARD, currency: str = "EUR", **more: Any
) -> InvoiceLine:
    amount = line_amount(Decimal(quantity), Decimal(price), Decimal(1), more.get("allowances_charges", ()), currency)
    return InvoiceLine(
        id=str(number), name="Energy", quantity=quantity, unit="KWH", price=price, net_amount=amount, tax=tax, **more
    )


def invoice(*lines: InvoiceLine, **more: Any) -> Invoice:
    fields = {"issue_date": "2026-11-01", "due_date": "2026-12-01", "seller": SELLER, "buyer": BUYER, "currency": "EUR"}
    return invoice_of(lines=lines, **{**fields, **more})


def test_a_tax_is_computed_once_on_the_sum() -> None:
    told = invoice(*(line(number, "1", "0.12") for number in range(1, 4)))
    assert [(str(each.base), str(each.amount)) for each in told.taxes] == [("0.36", "0.07")]  # not 3 × 0.02
    assert (told.totals.net, told.totals.gross, told.totals.payable) == (
        Decimal("0.36"),
        Decimal("0.43"),
        Decimal("0.43"),
    )


def test_totals_follow_the_standard() -> None:
    off = AllowanceCharge(kind="allowance", amount=Decimal(10), reason="Loyalty", tax=STANDARD)
    on = AllowanceCharge(
        kind="charge", amount=Decimal(4), reason="Paper", tax=LineTax(category="S", rate=Decimal("5.5"))
    )
    told = invoice(
        line(1, "100", "1"), allowances_charges=[off, on], prepaid=Decimal("50.00"), rounding=Decimal("0.02")
    )
    totals = told.totals
    assert (totals.lines, totals.allowances, totals.charges, totals.net) == (100, 10, 4, 94)
    assert [(each.tax.rate, each.base, each.amount) for each in told.taxes] == [
        (20, 90, 18),
        (Decimal("5.5"), 4, Decimal("0.22")),
    ]
    assert totals.payable == Decimal("62.24")


def test_json_says_amounts_as_texts_and_reads_back() -> None:
    told = invoice(line(1, "1E+3", "0.000001"))
    text = told.model_dump_json()
    assert json.loads(text)["lines"][0]["quantity"] == "1000"
    assert Invoice.model_validate_json(text) == told


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"totals": {"lines": "9.99"}}, "BR-CO-10"),
        ({"totals": {"allowances": "1"}}, "BR-CO-11"),
        ({"totals": {"charges": "1"}}, "BR-CO-12"),
        ({"totals": {"net": "9.99"}}, "BR-CO-13"),
        ({"totals": {"tax": "1.99"}}, "BR-CO-14"),
        ({"totals": {"gross": "12.01"}}, "BR-CO-15"),
        ({"totals": {"payable": "12.01"}}, "BR-CO-16"),
        ({"totals": {"prepaid": "1"}}, "BR-CO-16"),
        ({"totals": {"rounding": "0.001"}}, "BR-DEC"),
        ({"taxes": [{"tax": {"category": "S", "rate": "20"}, "base": "10", "amount": "2.02"}]}, "BR-S-09"),
        ({"taxes": [{"tax": {"category": "S", "rate": "20"}, "base": "11", "amount": "2.2"}]}, "BR-S-08"),
        ({"taxes": [{"tax": {"category": "S", "rate": "10"}, "base": "10", "amount": "1"}]}, "BR-S-01"),
        (
            {"taxes": [{"tax": {"category": "S", "rate": "20"}, "base": "10", "amount": "2", "reason": "none"}]},
            "BR-S-10",
        ),
        ({"currency": "XYZ"}, "BR-05"),
        ({"due_date": None}, "BR-CO-25"),
        ({"tax_point": "2026-11-01", "tax_point_code": "72"}, "BR-CO-03"),
        ({"seller": {"name": "Nobody", "address": {"country": "FR"}}}, "BR-CO-26"),
        ({"payment": {"means": "58"}}, "BR-61"),
        ({"payment": {"means": "59"}}, "BR-DE-25"),
        ({"payment": {"means": "58", "iban": "FR7630006000011234567890188"}}, "check digits"),
        ({"type": "381"}, "art. 219"),
        ({"period": {"start": "2026-11-01", "end": "2026-11-01"}}, "BR-29"),
        ({"accounting_currency": "CHF"}, "BR-53"),
        ({"allowances_charges": [{"kind": "charge", "amount": "0", "reason": "x"}]}, "BR-37"),
        ({"buyer_reference": "a\x1b[2J"}, "U+001B"),
        ({"issue_date": 20261101}, "write a date"),
    ],
)
def test_what_does_not_hold_is_named(change: dict[str, Any], rule: str) -> None:
    told = json.loads(invoice(line(1, "10", "1")).model_dump_json())
    for name, value in change.items():
        told[name] = {**told[name], **value} if isinstance(value, dict) and isinstance(told[name], dict) else value
        if name == "seller":
            told[name] = value
    with pytest.raises(ValidationError, match=rule.replace("+", r"\+")):
        Invoice.model_validate(told)


@pytest.mark.parametrize(
    ("tax", "more", "rule"),
    [
        (LineTax(category="S", rate=Decimal(0)), {}, "BR-S-05"),
        (LineTax(category="S"), {}, "BR-S-05"),
        (LineTax(category="AE", rate=Decimal(20)), {}, "BR-AE-05"),
        (LineTax(category="AE", rate=Decimal(0)), {}, "BR-AE-02"),
        (LineTax(category="K", rate=Decimal(0)), {}, "BR-IC-02.*BR-IC-11.*BR-IC-12"),
        (LineTax(category="E", rate=Decimal(0)), {}, "BR-E-10"),
        (LineTax(category="O"), {}, "BR-O-02"),
        (LineTax(category="O", rate=Decimal(0)), {}, "BR-O-05"),
    ],
)
def test_categories_have_their_rules(tax: LineTax, more: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        invoice(line(1, "10", "1", tax), **more)


def test_negative_prices_and_lines_twice_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"BR-21.*BR-27"):
        invoice(line(1, "10", "1"), line(1, "1", "-1"))


def test_yen_have_no_decimals() -> None:
    told = invoice(line(1, "3", "33", LineTax(category="S", rate=Decimal(10)), currency="JPY"), currency="JPY")
    assert (told.totals.tax, told.totals.gross) == (10, 109)


money = st.decimals(min_value="-99999", max_value="99999", places=2)
rates = st.sampled_from(["20", "10", "5.5", "2.1"])
modes = st.sampled_from(RoundingMode)


@settings(max_examples=60)
@given(st.lists(st.tuples(money, rates), min_size=1, max_size=8), modes)
def test_any_lines_add_up_and_mirror(amounts: list[tuple[Decimal, str]], mode: RoundingMode) -> None:
    def lines(sign: int) -> list[InvoiceLine]:
        return [
            line(number, "1", "0", LineTax(category="S", rate=Decimal(rate))).model_copy(
                update={"net_amount": sign * amount}
            )
            for number, (amount, rate) in enumerate(amounts)
        ]

    told, mirrored = invoice(*lines(1), mode=mode), invoice(*lines(-1), mode=mode)
    assert told.totals.gross == sum(amount for amount, _ in amounts) + sum(each.amount for each in told.taxes)
    assert mirrored.totals.gross == -told.totals.gross


def test_exemptions_say_why() -> None:
    exempt = line(1, "10", "1", LineTax(category="E", rate=Decimal(0)))
    (told,) = tax_sums([exempt], [], "EUR", reasons={"E": Exemption("Article 261 C du CGI", "VATEX-FR-CGI261C-2")})
    assert (told.amount, told.reason_code) == (0, "VATEX-FR-CGI261C-2")
