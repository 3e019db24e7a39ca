"""Which account may be below which, what is inherited, and what makes custom fields right. Nothing here knows a database."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import jsonschema
import polars as pl
from referencing import Registry
from referencing.exceptions import Unresolvable

from billing.accounts.models import INHERITED, Account, Kind, PaymentMethod, PaymentType, Status

PARENTS: Mapping[Kind, frozenset[Kind | None]] = {
    Kind.SELLER: frozenset({None, Kind.SELLER}),
    Kind.CUSTOMER: frozenset({Kind.SELLER, Kind.CUSTOMER}),
    Kind.CUSTOMER_ACCOUNT: frozenset({Kind.CUSTOMER}),
    Kind.BILLING_ACCOUNT: frozenset({Kind.CUSTOMER_ACCOUNT}),
    Kind.USER_ACCOUNT: frozenset({Kind.BILLING_ACCOUNT, Kind.USER_ACCOUNT}),
}
"""What may be above an account of a kind."""
PREFIXES = {
    Kind.SELLER: "sel",
    Kind.CUSTOMER: "cus",
    Kind.CUSTOMER_ACCOUNT: "cac",
    Kind.BILLING_ACCOUNT: "bac",
    Kind.USER_ACCOUNT: "uac",
}
"""What identifiers of accounts begin with."""
NEXT: Mapping[Status, frozenset[Status]] = {
    Status.ACTIVE: frozenset({Status.CANCELED, Status.TERMINATED, Status.CLOSED}),
    Status.CANCELED: frozenset({Status.ACTIVE, Status.CLOSED}),
    Status.TERMINATED: frozenset({Status.ACTIVE, Status.CLOSED}),
    Status.CLOSED: frozenset(),
}
"""What may become of an account: what is closed stays so."""
DEPTH_MAX = 32
SCHEMA_BYTES_MAX = 65_536
_CARD = re.compile(r"(?:[0-9][ -]?){13,19}")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")


class UnableToKeepAccount(Exception):
    """An account cannot be as it is asked to be; `column` names the field."""

    def __init__(self, column: str, message: str) -> None:
        """Say which field is wrong, and why."""
        super().__init__(f"{column}: {message}" if column else message)
        self.column = column
        self.message = message


def check_parent(kind: Kind, parent: Kind | None) -> None:
    """Check that an account of a kind may be below one of another.

    Raises:
        UnableToKeepAccount: when it may not.
    """
    if parent not in PARENTS[kind]:
        wanted = " or ".join(sorted(f"a {one.value}" for one in PARENTS[kind] if one is not None))
        told = "nothing" if parent is None else f"a {parent.value}"
        raise UnableToKeepAccount("parent", f"a {kind.value} is below {wanted}, not below {told}")


def check_chain(
    account: str, kind: Kind, chain: Sequence[tuple[str, Kind]], reseller_levels: int, *, below: int = 0
) -> None:
    """Check the accounts above one, nearest first, as (id, kind).

    Operators sell to resellers, resellers to customers: a seller that stands below another one is a reseller.

    Args:
        account: its id, empty of a new one. below: how many levels of accounts of its own kind are below it.

    Raises:
        UnableToKeepAccount: when an account would be above itself, too deep, or too many resellers stand between.
    """
    if account in {one for one, _ in chain}:
        raise UnableToKeepAccount("parent", "an account cannot be above itself")
    if len(chain) + below >= DEPTH_MAX:
        raise UnableToKeepAccount("parent", f"accounts are at most {DEPTH_MAX} deep")
    sellers = sum(one is Kind.SELLER for _, one in chain) + (1 + below if kind is Kind.SELLER else 0)
    if sellers > reseller_levels + 1:
        raise UnableToKeepAccount("parent", f"at most {reseller_levels} resellers may stand below the operator")


def role_of(kind: Kind, parent: Kind | None) -> str:
    """Return what an account is to the others: `operator`, `reseller` or `customer`."""
    if kind is not Kind.SELLER:
        return "customer"
    return "operator" if parent is None else "reseller"


def inherited(chain: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Any, str]]:
    """Return, by field of INHERITED, the value that holds and the code of the account that says it.

    Args:
        chain: the account itself, then those above it, nearest first.
    """
    found: dict[str, tuple[Any, str]] = {}
    for account in chain:
        for field in INHERITED:
            if field not in found and account[field] is not None:
                found[field] = (account[field], account["code"])
    return found


def check_status(before: Status, after: Status) -> None:
    """Check that an account may become something.

    Raises:
        UnableToKeepAccount: when it may not.
    """
    if after is not before and after not in NEXT[before]:
        raise UnableToKeepAccount("status", f"what is {before.value} cannot become {after.value}")


def check_account(account: Account) -> None:
    """Check what an account says of itself.

    Raises:
        UnableToKeepAccount: when it cannot be.
    """
    if account.kind is Kind.SELLER and account.wallets is not None:
        raise UnableToKeepAccount("wallets", "a seller has no wallets")
    codes = [wallet.code for wallet in account.wallets or ()]
    if len(set(codes)) != len(codes):
        raise UnableToKeepAccount("wallets", "two wallets have one code")


def check_payment(method: PaymentMethod) -> None:
    """Check how somebody pays: never by the number of a card, and by direct debit from an IBAN whose digits are right.

    Raises:
        UnableToKeepAccount: when it cannot be.
    """
    reference = method.reference or ""
    if _CARD.fullmatch(reference) and _luhn(re.sub(r"\D", "", reference)):
        raise UnableToKeepAccount("reference", "this is the number of a card: keep what a payment service calls it")
    if method.type is PaymentType.DIRECTDEBIT:
        iban = reference.replace(" ", "")
        if not _IBAN.fullmatch(iban) or int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 != 1:
            raise UnableToKeepAccount("reference", "a direct debit needs an IBAN (ISO 13616)")


def _luhn(digits: str) -> bool:
    """Return whether the last digit is the one that ISO/IEC 7812 asks for."""
    doubled = [int(digit) * (1 + position % 2) for position, digit in enumerate(reversed(digits))]
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


def check_schema(schema: Any) -> None:
    """Check that something is a JSON Schema (2020-12) of custom fields that refers to nothing outside of itself.

    Raises:
        UnableToKeepAccount: when it is none.
    """
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        raise UnableToKeepAccount("", "custom fields are described by a JSON Schema of an object")
    if len(json.dumps(schema)) > SCHEMA_BYTES_MAX:
        raise UnableToKeepAccount("", f"a JSON Schema has at most {SCHEMA_BYTES_MAX} bytes")
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise UnableToKeepAccount("", f"this is no JSON Schema: {error.message}") from error
    if outside := [ref for ref in _references(schema) if not ref.startswith("#")]:
        raise UnableToKeepAccount("", f"a JSON Schema refers to nothing outside of itself, not to {outside[0]}")
    if any(True for _ in _said_by(schema, "patternProperties")):
        raise UnableToKeepAccount("", "custom fields are named one by one, not by patternProperties")
    for pattern in _said_by(schema, "pattern"):
        if isinstance(pattern, str):
            _matches(pattern, "")


def _references(schema: Any) -> Iterator[str]:
    for keyword in ("$ref", "$dynamicRef"):
        yield from (value for value in _said_by(schema, keyword) if isinstance(value, str))


def _said_by(schema: Any, keyword: str) -> Iterator[Any]:
    if isinstance(schema, dict):
        for name, value in schema.items():
            if name == keyword:
                yield value
            yield from _said_by(value, keyword)
    elif isinstance(schema, list):
        for value in schema:
            yield from _said_by(value, keyword)


def _matches(pattern: str, text: str) -> bool:
    """Return whether a regular expression finds something in a text, in time that grows with the text and no faster.

    Python's own may take years for `^(a+)+$` and thirty letters, while nothing else of the process runs.

    Raises:
        UnableToKeepAccount: when it is none, or one that looks around, looks back or is too large.
    """
    try:
        return bool(pl.Series([text], dtype=pl.String).str.contains(pattern)[0])
    except pl.exceptions.ComputeError as error:
        told = "a regular expression without look-around and back-references, and no huge one"
        raise UnableToKeepAccount("", f"the pattern {json.dumps(pattern)[:200]} is not {told}") from error


def _pattern(validator: Any, pattern: str, value: Any, _: Any) -> Iterator[jsonschema.ValidationError]:
    if validator.is_type(value, "string") and not _matches(pattern, value):
        yield jsonschema.ValidationError("does not match")


_Validator: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator, {"pattern": _pattern}
)


class CustomFields:
    """The custom fields of one kind of account: the tenant's JSON Schema, read once for many accounts."""

    def __init__(self, schema: Mapping[str, Any] | None) -> None:
        """Take a schema that `check_schema` has passed; None when a kind has no custom fields."""
        self._validator = None if schema is None else _Validator(schema, registry=Registry())

    def check(self, values: Mapping[str, Any]) -> None:
        """Check the custom fields of an account.

        Raises:
            UnableToKeepAccount: with the first that is wrong.
        """
        if self._validator is None:
            if values:
                raise UnableToKeepAccount("custom", "there are no custom fields: `octroi account fields` makes them")
            return
        try:
            error = next(iter(self._validator.iter_errors(dict(values))), None)
        except Unresolvable as reason:
            raise UnableToKeepAccount("custom", f"the JSON Schema refers to what it has not: {reason}") from reason
        if error is not None:
            # not its message, which repeats the value: that may be personal data
            rule = f"{error.validator}: {json.dumps(error.validator_value, ensure_ascii=False)[:200]}"
            raise UnableToKeepAccount(".".join(["custom", *map(str, error.path)]), f"the JSON Schema says {rule}")
