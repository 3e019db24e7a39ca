"""What a credit note takes back of an invoice: never more than is left, and all of them together exactly the invoice.

Amounts are integers in billionths, of the sign of the invoice. A credit note of a part computes taxes of all that is credited
so far, and takes what earlier ones left of that: so whatever the parts, the last one leaves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from billing.invoicing.rules_residue import to_whole
from rating.amounts import rounded, rounding_step
from schemas.price_plan import Rounding
from schemas.tax import RATE_ONE

TaxKey = tuple[str, str, int, str]
"""Status, tax, rate by 10**-8, reason."""


class UnableToCredit(Exception):
    """What is asked cannot be credited; nothing changed."""


@dataclass(frozen=True, slots=True)
class CreditLine:
    """A line: its number, what it comes to in the basis of the prices and net, and by which tax it is summed."""

    line: int
    amount: int
    net: int
    tax: TaxKey


@dataclass(frozen=True, slots=True)
class CreditTax:
    """A tax: what it is due on, and what is due."""

    tax: TaxKey
    base: int
    amount: int


@dataclass(frozen=True, slots=True)
class Amounts:
    """What an invoice, credit notes of it so far, or one of them come to; amounts as in `schemas.invoicing`."""

    lines: tuple[CreditLine, ...]
    taxes: tuple[CreditTax, ...]
    paid: int
    to_pay: int

    @property
    def gross(self) -> int:
        """Net and taxes."""
        return sum(each.net for each in self.lines) + sum(each.amount for each in self.taxes)


def summed(notes: Iterable[Amounts]) -> Amounts:
    """Return what credit notes come to together, by line and by tax."""
    lines: dict[int, CreditLine] = {}
    taxes: dict[TaxKey, CreditTax] = {}
    paid = to_pay = 0
    for note in notes:
        for each in note.lines:
            had = lines.get(each.line, CreditLine(each.line, 0, 0, each.tax))
            lines[each.line] = CreditLine(each.line, had.amount + each.amount, had.net + each.net, each.tax)
        for tax in note.taxes:
            held = taxes.get(tax.tax, CreditTax(tax.tax, 0, 0))
            taxes[tax.tax] = CreditTax(tax.tax, held.base + tax.base, held.amount + tax.amount)
        paid, to_pay = paid + note.paid, to_pay + note.to_pay
    return Amounts(tuple(lines[line] for line in sorted(lines)), tuple(taxes.values()), paid, to_pay)


def credit(
    invoice: Amounts,
    before: Amounts,
    asked: Mapping[int, int | None] | None,
    *,
    gross: bool,
    rounding: Rounding,
    coin: int,
) -> Amounts:
    """Return what a credit note takes back, with the signs of the invoice.

    Args:
        before: what earlier credit notes took. asked: by line, how much of it in the basis of the prices, above zero, None for
            all that is left of it; without any, all that is left of the invoice. gross: whether that basis has tax in it.
        rounding: that of the seller, in the currency. coin: the smallest amount that can be paid, billionths.

    Raises:
        UnableToCredit: when there is no such line, when more is asked than is left, or taxes cannot be told apart by line.
    """
    rest = _rest(invoice, before)
    if not any(each.amount or each.net for each in rest.lines) and not any(each.amount for each in rest.taxes):
        raise UnableToCredit("all of it is credited already")
    if asked is None:
        return rest
    parts = _parts(rest, asked, rounding)
    left = {each.line: each.amount for each in rest.lines}
    if all(amount == parts.get(line, 0) for line, amount in left.items()):
        return rest
    known = {each.tax for each in invoice.taxes}
    if any(each.tax not in known for each in invoice.lines):
        raise UnableToCredit("several taxes are due on one amount of it: only all that is left can be credited")
    lines: list[CreditLine] = []
    taxes: list[CreditTax] = []
    for tax in invoice.taxes:
        some, due = _group(tax, invoice, before, parts, gross=gross, rounding=rounding)
        if any(each.amount or each.net for each in some) or due.base or due.amount:
            lines += some
            taxes.append(due)
            _expect_left(due, next(each for each in rest.taxes if each.tax == tax.tax))
    note = Amounts(tuple(sorted(lines, key=lambda each: each.line)), tuple(taxes), 0, 0)
    # of all that is credited so far, as taxes are: many parts of less than a coin are not a coin each
    money, paid = _given_back(invoice, before.gross + note.gross, coin)
    return Amounts(note.lines, note.taxes, paid - before.paid, money - before.to_pay)


def _given_back(invoice: Amounts, credited: int, coin: int) -> tuple[int, int]:
    """Return what is given back in money of all that is credited so far, and what of it wallets had paid.

    In money no more than was to be paid in money; beyond that it is what wallets paid.
    """
    money = _whole(credited, coin)
    owed = invoice.to_pay
    if (money > owed >= 0) or (money < owed <= 0):
        rest = credited - owed
        return owed, min(rest, invoice.paid) if rest > 0 else max(rest, invoice.paid)
    return money, 0


def _rest(invoice: Amounts, before: Amounts) -> Amounts:
    took = {each.line: each for each in before.lines}
    taxed = {each.tax: each for each in before.taxes}
    lines = tuple(
        CreditLine(
            each.line,
            each.amount - (took[each.line].amount if each.line in took else 0),
            each.net - (took[each.line].net if each.line in took else 0),
            each.tax,
        )
        for each in invoice.lines
    )
    taxes = tuple(
        CreditTax(
            each.tax,
            each.base - (taxed[each.tax].base if each.tax in taxed else 0),
            each.amount - (taxed[each.tax].amount if each.tax in taxed else 0),
        )
        for each in invoice.taxes
    )
    return Amounts(lines, taxes, invoice.paid - before.paid, invoice.to_pay - before.to_pay)


def _parts(rest: Amounts, asked: Mapping[int, int | None], rounding: Rounding) -> dict[int, int]:
    """Return what is credited of each line that is asked, signed as the line."""
    left = {each.line: each.amount for each in rest.lines}
    step = rounding_step(rounding)
    parts = {}
    for line, amount in asked.items():
        if line not in left:
            raise UnableToCredit(f"it has no line {line}")
        wanted = abs(left[line]) if amount is None else amount
        if amount is not None and (amount <= 0 or amount % step):
            raise UnableToCredit(
                f"of line {line} an amount above zero, with {rounding.decimals} decimals at most, is credited"
            )
        if wanted > abs(left[line]):
            raise UnableToCredit(f"line {line} has less left than is asked of it")
        parts[line] = -wanted if left[line] < 0 else wanted
    if not any(parts.values()):
        raise UnableToCredit("nothing is left of what is asked")
    return parts


def _group(
    tax: CreditTax, invoice: Amounts, before: Amounts, parts: Mapping[int, int], *, gross: bool, rounding: Rounding
) -> tuple[list[CreditLine], CreditTax]:
    """Return the lines that one tax is due on, and the tax: of all that is credited by now, less what was credited before."""
    own = [each for each in invoice.lines if each.tax == tax.tax]
    took = {each.line: each for each in before.lines}
    held = next((each for each in before.taxes if each.tax == tax.tax), CreditTax(tax.tax, 0, 0))
    new = sum(parts.get(each.line, 0) for each in own)
    so_far = sum(took[each.line].amount for each in own if each.line in took)
    # by the rate, as the invoice has it: by shares of its rounded amounts a part may be two units from base × rate, and
    # documents have a place for one
    rate = tax.tax[2]
    if gross:
        base = rounded((so_far + new) * RATE_ONE, RATE_ONE + rate, rounding) - held.base
        amount = new - base
    else:
        base = new
        amount = rounded((held.base + base) * rate, RATE_ONE, rounding) - held.amount
    chosen = [each for each in own if parts.get(each.line)]
    ideal = [
        each.net - took[each.line].net if _is_last(each, took, parts) and each.line in took
        else each.net if _is_last(each, took, parts)
        else _share(parts[each.line], each.net, each.amount, rounding)
        for each in chosen
    ]  # fmt: skip
    nets = to_whole(ideal, base, rounding) if chosen else []
    lines = [CreditLine(each.line, parts[each.line], net, tax.tax) for each, net in zip(chosen, nets, strict=True)]
    return lines, CreditTax(tax.tax, base, amount)


def _is_last(line: CreditLine, took: Mapping[int, CreditLine], parts: Mapping[int, int]) -> bool:
    return parts[line.line] == line.amount - (took[line.line].amount if line.line in took else 0)


def _share(part: int, amount: int, whole: int, rounding: Rounding) -> int:
    """Return the part of an amount that a part of a whole has, rounded; the whole has all of it."""
    if whole == 0:
        return 0
    sign = -1 if whole < 0 else 1
    return rounded(sign * part * amount, sign * whole, rounding)


def _expect_left(due: CreditTax, rest: CreditTax) -> None:
    """Refuse a credit note that takes more of a tax than is left: lines were named, and not the discounts on them."""
    for taken, left in ((due.base, rest.base), (due.amount, rest.amount)):
        if (taken and (taken > 0) != (left > 0)) or abs(taken) > abs(left):
            raise UnableToCredit(
                "it comes to more than what is left: name lines of discounts, too, or credit all that is left"
            )


def _whole(gross: int, coin: int) -> int:
    sign = -1 if gross < 0 else 1
    return sign * ((2 * abs(gross) + coin) // (2 * coin)) * coin


def check_amounts(whole: Amounts, notes: Sequence[Amounts]) -> bool:
    """Return whether credit notes together are exactly an invoice, by line, tax and what is to be paid."""
    rest = _rest(whole, summed(notes))
    numbers = [value for each in rest.lines for value in (each.amount, each.net)]
    numbers += [value for tax in rest.taxes for value in (tax.base, tax.amount)]
    return not any((*numbers, rest.paid, rest.to_pay))
