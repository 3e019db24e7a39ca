"""Operations: what a supplier of energy bills of each point, seen as what became of records and fees.

An operation is a record of a flow (its energy, or a service of the distributor), or a part of a fee. octroi decides about it as
about all usage; here is only what these decisions are called: four statuses, and a code for why one was refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import polars as pl


class Status(StrEnum):
    """What became of an operation."""

    TO_DO = "à traiter"
    DONE = "traité"
    REFUSED = "rejet"
    ABANDONED = "abandonné"


class Kind(StrEnum):
    """What an operation bills: energy, a subscription, or a service of the distributor."""

    CONSO = "conso"
    ABO = "abo"
    FRAIS = "frais"


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """Why operations are refused: a stable code, and a sentence in French and in English."""

    code: str
    french: str
    english: str


AWAITS = "AWAITS_EXECUTION"
UNKNOWN_ERROR = ErrorCode("ERR_FMT_099", "L'enregistrement n'est pas exploitable.", "The record cannot be used.")
ERRORS: dict[str, ErrorCode] = {
    "UNKNOWN_ACCESS_POINT": ErrorCode(
        "ERR_ORD_001", "Aucun contrat n'existe pour ce point.", "No contract exists for this point."
    ),
    "ACCESS_POINT_NOT_VALID_AT": ErrorCode(
        "ERR_ORD_002",
        "Aucun contrat du point n'est facturable à cette date.",
        "No contract of the point is billable on that date.",
    ),
    "NO_MATCHING_CHARGE": ErrorCode(
        "ERR_ORD_003", "L'offre du contrat ne facture pas cette mesure.", "The contract's offer does not bill this."
    ),
    "NO_PRICE_VERSION": ErrorCode(
        "ERR_ORD_004", "Aucun prix n'est en vigueur à cette date.", "No price is in force on that date."
    ),
    "NO_MATRIX_PRICE": ErrorCode(
        "ERR_ORD_005", "Aucun prix n'existe pour cette classe temporelle.", "No price exists for this time class."
    ),
    "INSUFFICIENT_BALANCE": ErrorCode(
        "ERR_ORD_006", "Le compte ne peut pas payer ce montant.", "The account cannot pay the amount."
    ),
    "INDEX_DECREASED": ErrorCode(
        "ERR_REL_001",
        "L'index est inférieur au précédent sans passage à zéro annoncé.",
        "The index is lower than the one before, and no roll-over of the dial was announced.",
    ),
    "READING_OUT_OF_ORDER": ErrorCode(
        "ERR_REL_002",
        "La relève est antérieure à la dernière relève connue.",
        "The reading is older than the latest one that is known.",
    ),
    "SAME_KEY_OTHER_CONTENT": ErrorCode(
        "ERR_REL_003",
        "Une autre valeur est déjà connue pour cette relève.",
        "Another value is known for this reading already.",
    ),
    "DOUBTFUL_READING": ErrorCode(
        "ERR_REL_004", "Le distributeur signale une mesure douteuse.", "The distributor doubts the measure."
    ),
    "BEYOND_BILLABLE": ErrorCode(
        "ERR_REL_005",
        "La consommation date de plus de quatorze mois avant la relève.",
        "The energy lies more than fourteen months before the reading.",
    ),
    "SUPERSEDES_EARLIER": ErrorCode(
        "ERR_REL_006",
        "La relève remplace une consommation déjà facturée.",
        "The reading stands in the place of energy that is billed.",
    ),
    "BEYOND_WINDOW": ErrorCode(
        "ERR_REL_007",
        "La mesure est trop ancienne pour être comparée aux précédentes.",
        "The measure is too old to be compared with earlier ones.",
    ),
    "NEGATIVE_UNPRICED": ErrorCode(
        "ERR_REL_008", "Ce prix ne permet pas de reprendre une consommation.", "The price cannot take energy back."
    ),
    "NEGATIVE_QUANTITY": ErrorCode("ERR_REL_009", "La quantité est négative.", "The quantity is below zero."),
    "UNKNOWN_EVENT_TYPE": ErrorCode(
        "ERR_POD_001", "Cette grille ou nature n'est pas facturée.", "This grid or kind is not billed."
    ),
    "INVALID_QUANTITY": ErrorCode(
        "ERR_FMT_001", "La quantité n'est pas un nombre lisible.", "The quantity cannot be read as a number."
    ),
    "INVALID_TIMESTAMP": ErrorCode("ERR_FMT_002", "La date n'est pas lisible.", "The date cannot be read."),
    "FIELD_MISSING": ErrorCode("ERR_FMT_003", "Un champ obligatoire est vide.", "A field that is needed is empty."),
    "IDENTITY_MISSING": ErrorCode(
        "ERR_FMT_004", "L'enregistrement n'a pas d'identifiant.", "The record has no identity."
    ),
    "INVALID_VALUE": ErrorCode("ERR_FMT_005", "Une valeur n'est pas lisible.", "A value cannot be read."),
}
"""By the name of the reason; codes are a contract: never renumbered, never reused. Others are `UNKNOWN_ERROR`."""

ITEM_FRAME = pl.Schema(
    {
        "claim": pl.Int64(),
        "record": pl.Int64(),
        "source": pl.String(),
        "point": pl.String(),
        "subscription": pl.String(),
        "start": pl.String(),  # instant, ISO 8601 UTC
        "amount": pl.Decimal(38, 9),
        "currency": pl.String(),
        "status": pl.String(),  # of the view rated_item
    }
)
REFUSAL_FRAME = pl.Schema(
    {
        "claim": pl.Int64,
        "record": pl.Int64,
        "branch": pl.Int64,
        "source": pl.String,
        "point": pl.String,
        "start": pl.String,
        "reason": pl.String,
        "detail": pl.String,
        "retries": pl.Int64,
        "status": pl.String,  # of the view rejection
        "why": pl.String,  # somebody gave for what was decided
    }
)
MOVE_FRAME = pl.Schema({"claim": pl.Int64, "record": pl.Int64, "to_claim": pl.Int64, "to_record": pl.Int64})
"""Where what stands at (claim, record) of a retry came from; a null record: the same one."""


def operations(
    items: pl.DataFrame, refusals: pl.DataFrame, moves: pl.DataFrame, kinds: Mapping[str, Kind]
) -> list[dict[str, Any]]:
    """Return the operations, in the order of the log: each with its status, what it came to, and why it was refused.

    Args:
        items: ITEM_FRAME. refusals: REFUSAL_FRAME. moves: MOVE_FRAME. kinds: of each source.
    """
    found: dict[tuple[int, int], dict[str, Any]] = {}
    origin = origins_of(moves)
    for row in items.iter_rows(named=True):
        if row["status"] in ("reversal", "refund"):
            continue
        operation = _operation(found, origin(row["claim"], row["record"]), row, kinds)
        operation["status"] = Status.DONE
        operation["subscription"] = row["subscription"]
        operation["currency"] = row["currency"]
        operation["items"] += 1
        operation["annulled"] += row["status"] == "reversed"
        if row["status"] != "reversed":
            operation["amount"] += row["amount"]
    for row in refusals.sort("retries", "claim", "record").iter_rows(named=True):
        if row["status"] == "CANCELLED":
            continue
        _refused(_operation(found, origin(row["claim"], row["record"]), row, kinds), row)
    return [_told(found[place]) for place in sorted(found)]


def origins_of(moves: pl.DataFrame) -> Callable[[int, int], tuple[int, int]]:
    """Return what says where what stands at a claim and record came from first, by MOVE_FRAME."""
    whole = {row[0]: row[2] for row in moves.filter(pl.col("record").is_null()).iter_rows()}
    single = {(row[0], row[1]): (row[2], row[3]) for row in moves.drop_nulls("record").iter_rows()}

    def origin(claim: int, record: int) -> tuple[int, int]:
        place = (claim, record)
        while (before := single.get(place) or _in(whole, place)) is not None:
            place = before
        return place

    return origin


def _in(whole: Mapping[int, int], place: tuple[int, int]) -> tuple[int, int] | None:
    return (whole[place[0]], place[1]) if place[0] in whole else None


def _operation(
    found: dict[tuple[int, int], dict[str, Any]],
    place: tuple[int, int],
    row: Mapping[str, Any],
    kinds: Mapping[str, Kind],
) -> dict[str, Any]:
    if place not in found:
        found[place] = {
            "id": f"op-{place[0]}-{place[1]}",
            "point": row["point"],
            "kind": kinds[row["source"]],
            "source": row["source"],
            "start": row["start"],
            "status": Status.DONE,
            "code": "",
            "reason": "",
            "french": "",
            "english": "",
            "detail": "",
            "retries": 0,
            "why": "",
            "subscription": "",
            "amount": 0,
            "currency": "",
            "items": 0,
            "annulled": 0,
            "refusals": [],
        }
    return found[place]


def _refused(operation: dict[str, Any], row: Mapping[str, Any]) -> None:
    operation["retries"] = max(operation["retries"], row["retries"])
    if row["status"] == "REPLAYED":
        return
    operation["refusals"].append((row["claim"], row["record"], row["branch"]))
    operation["reason"], operation["detail"], operation["why"] = row["reason"], row["detail"], row["why"]
    if row["status"] == "DISCARDED":
        operation["status"] = Status.ABANDONED
    elif row["reason"] == AWAITS:
        operation["status"] = Status.TO_DO
    else:
        operation["status"] = Status.REFUSED
    if row["reason"] != AWAITS:
        error = ERRORS.get(row["reason"], UNKNOWN_ERROR)
        operation["code"], operation["french"], operation["english"] = error.code, error.french, error.english


def _told(operation: dict[str, Any]) -> dict[str, Any]:
    items, annulled = operation.pop("items"), operation.pop("annulled")
    return {**operation, "annulled": bool(items) and items == annulled}
