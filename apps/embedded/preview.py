"""Trying a file on a source: its first records stage by stage and a profile of all of it. Nothing is kept."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from apps.embedded.images import ActiveImage
from apps.embedded.layout import DataDirectory
from apps.embedded.profile import Profile, readable_from
from apps.embedded.rehearse import rehearse_file, rehearsing
from apps.embedded.reports import ClaimReport
from apps.settings import Settings
from pipelines.mediation.decode import Decoder, describe
from pipelines.mediation.explain import field_value, raw_record
from pipelines.mediation.extract import DecodedBlock
from pipelines.refusals import FIRST_RESOURCE_REASON, OUTCOME_OF
from pipelines.spool.journal import FileClaim
from rating.vocabulary import Vocabulary
from schemas.arrays import UInt16Array
from schemas.catalog import Catalog
from schemas.cdr import CdrBlock, OnDecrease
from schemas.edr import EdrBlock, with_items
from schemas.money import AMOUNT_DECIMALS, from_scaled
from schemas.output import OutputBlock
from schemas.quantity import describe_quantity
from schemas.rejection import EXPLANATIONS, OUTCOMES, RAW_BYTES_MAX, Outcome, Reason
from schemas.values import value_text

_NO_TEXT = frozenset(map(chr, (*range(0x09), *range(0x0B, 0x0D), *range(0x0E, 0x20), *range(0x7F, 0xA0))))
"""Control characters but tab and line ends: bytes that decode to one are shown in hexadecimal."""
_UNRATED = range(Reason.NO_MATCHING_CHARGE, 1000)
"""Reasons of the account stage: the record is accepted, its EDR waits."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UnableToFindSource(Exception):
    """The catalog has no such source."""


@dataclass(slots=True)
class FileTest:
    """What a file would do under one source.

    Attributes:
        claims: of each file in it, an archive or one file: its quarantine, or the headers of its blocks.
        records: the first ones, ready for JSON; those of an archive say of which file in it.
    """

    source: str
    format: str
    name: str
    claims: list[ClaimReport]
    records: list[dict[str, Any]]
    profile: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        packed = [_name(claim) for claim in self.claims] != [self.name]
        return {
            "source": self.source,
            "format": self.format,
            "file": self.name,
            "quarantined": None if packed else _refusal(self.claims[0]),
            "files": [
                {"name": _name(claim), "records": claim.total("received"), "quarantined": _refusal(claim)}
                for claim in (self.claims if packed else ())
            ],
            "records": self.records,
            "profile": self.profile,
        }


def find_source(catalog: Catalog, code: str) -> Any:
    """Return a source definition of any format.

    Raises:
        UnableToFindSource: when the catalog has no such source.
    """
    if code not in catalog.sources:
        known = ", ".join(sorted(catalog.sources)) or "none"
        raise UnableToFindSource(f"the catalog defines no source {code!r}; it has {known}")
    return catalog.sources[code]


def preview_file(
    directory: DataDirectory,
    settings: Settings,
    path: Path,
    code: str,
    *,
    records: int,
    say: Callable[[str], None],
    progress: Callable[[int], None],
) -> FileTest:
    """Take a file through all stages on the latest snapshot's state, and return what is to be seen on the way.

    Args:
        path: a usage file. code: its source. records: how many of its first records to show.
        say: told sentences that an operator must see. progress: told records as they pass.

    Raises:
        UnableToLoadCatalog: when the catalog is invalid.
        UnableToFindSource: when it has no such source.
        UnableToClaim: when the file cannot be read.
    """
    with rehearsing(directory, settings, say=say) as engine:
        assert engine.active is not None
        source = find_source(engine.active.catalog, code)
        witness = _Witness(engine.active, engine.state.vocabulary, getattr(source, "encoding", "utf-8"), records)
        engine.watch, engine.progress = witness.watch, progress
        name = os.fsencode(path.name).decode("utf-8", "replace")
        claims: list[ClaimReport] = []
        for claim in rehearse_file(engine, code, path):
            claims.append(claim)
            for record in witness.shown if _name(claim) != name else ():
                record.setdefault("file", _name(claim))
        profile = witness.profile_as_dict(claims)
    return FileTest(code, source.format, name, claims, witness.shown, profile)


def _name(claim: ClaimReport) -> str:
    return claim.entry.name if isinstance(claim.entry, FileClaim) else ""


def _refusal(claim: ClaimReport) -> dict[str, str] | None:
    refusal = claim.quarantine
    return None if refusal is None else {"code": refusal.code, "message": refusal.message}


@dataclass(slots=True)
class _Witness:
    """Looks at every block of a dry run; keeps the first records as JSON, of the others only sums."""

    active: ActiveImage
    vocabulary: Vocabulary
    encoding: str
    records_max: int
    shown: list[dict[str, Any]] = field(default_factory=list)
    profile: Profile = field(default_factory=Profile)

    def watch(self, decoder: Decoder, cdrs: CdrBlock, reason: UInt16Array, output: OutputBlock) -> None:
        """See one block; called by the engine."""
        for row in range(min(self.records_max - len(self.shown), len(cdrs))):
            self.shown.append(
                {
                    "record": int(cdrs.record[row]),
                    "raw": shown_bytes(raw_record(cdrs, row), self.encoding),
                    "fields": _fields(decoder, cdrs, row),
                    "cdr": self._cdr(cdrs, row),
                    **self._result(decoder, cdrs, row, Reason(int(reason[row])), output),
                }
            )
        self.profile.add(cdrs, reason, *_whole(output))

    # ---- one record

    def _quantity(self, steps: int, event_type: str) -> dict[str, Any]:
        unit = self.active.catalog.units[self.active.catalog.event_types[event_type].unit]
        return {"quantity_steps": steps, "quantity": _short(describe_quantity(steps, unit)), "unit": unit.code}

    def _cdr(self, cdrs: CdrBlock, row: int) -> dict[str, Any] | None:
        """Return what the decoder made of a record, up to what it objects to; None when that comes before all of it."""

        def reads(least: Reason) -> bool:
            return bool(readable_from(least, cdrs.reason[row : row + 1])[0])

        if not reads(Reason.UNKNOWN_EVENT_TYPE):
            return None
        named, counted = reads(Reason.INVALID_TIMESTAMP), reads(Reason.DOUBTFUL_READING)
        event_type = self.vocabulary.event_types.name(int(cdrs.event_type[row])) if named else None
        access_point = cdrs.text[cdrs.access_start[row] : cdrs.access_end[row]].tobytes().decode("utf-8", "replace")
        return {
            "event_at": instant(int(cdrs.event_at[row])) if reads(Reason.INVALID_QUANTITY) else None,
            **(
                self._quantity(_index(cdrs, row), event_type)
                if event_type is not None and counted
                else {"quantity_steps": None, "quantity": None, "unit": None}
            ),
            "is_reading": bool(cdrs.series_hi[row] or cdrs.series_lo[row]),
            "event_type": event_type,
            "access_point": access_point,
            "attributes": self._attributes(event_type, cdrs.attributes[row].tolist()),
            **({} if cdrs.values is None else {"values": self._values(event_type, cdrs.values[row].tolist())}),
            "identity_key": f"{int(cdrs.key_hi[row]):016x}{int(cdrs.key_lo[row]):016x}",
        }

    def _attributes(self, event_type: str | None, values: list[int]) -> dict[str, str | None]:
        """Return attribute: value; None for a value that no charge names, and for none."""
        names = () if event_type is None else self.active.catalog.event_types[event_type].attributes
        known = self.vocabulary.attribute_values
        return {name: known.name(value) if value else None for name, value in zip(names, values, strict=False)}

    def _values(self, event_type: str | None, values: list[int]) -> dict[str, str | None]:
        """Return value: what it says; None for none."""
        types = {} if event_type is None else self.active.catalog.event_types[event_type].values
        return {
            name: value_text(value, type_.type, type_.decimals)
            for (name, type_), value in zip(types.items(), values, strict=False)
        }

    def _result(
        self, decoder: Decoder, cdrs: CdrBlock, row: int, reason: Reason, output: OutputBlock
    ) -> dict[str, Any]:
        outcome = Outcome(int(OUTCOME_OF[reason])).name.lower()
        if reason:
            told = describe(decoder, cdrs, row) if reason < FIRST_RESOURCE_REASON else EXPLANATIONS[reason]
            return {"outcome": outcome, "reason": reason.name, "detail": told, "edr": None, "rated": None}
        edrs, rated = output.edrs, output.rated
        at = int(np.searchsorted(edrs.record, cdrs.record[row]))
        event_type = self.vocabulary.event_types.name(int(edrs.event_type[at]))
        edr = {
            "subscription": self.vocabulary.subscriptions.name(int(edrs.subscription[at])),
            "account": self.vocabulary.accounts.name(int(output.account[at])),
            "event_at": instant(int(edrs.event_at[at])),
            "span_s": int(edrs.span_s[at]),
            **self._quantity(int(edrs.quantity[at]), event_type),
        }
        unrated = Reason(int(rated.reason[at]))
        if unrated:
            told = EXPLANATIONS[unrated]
            return {"outcome": outcome, "reason": unrated.name, "detail": told, "edr": edr, "rated": None}
        version = self.active.image.describe_charge_version(int(rated.charge_version[at]))
        item = {
            "charge": version.charge,
            "price_plan": version.price_plan,
            "rated_quantity": self._quantity(int(rated.rated_quantity[at]), event_type)["quantity"],
            "amount": from_scaled(int(rated.amount[at]), AMOUNT_DECIMALS),
            "currency": version.currency,
        }
        return {"outcome": outcome, "reason": None, "detail": None, "edr": edr, "rated": item}

    # ---- the whole file

    def profile_as_dict(self, claims: list[ClaimReport]) -> dict[str, Any]:
        """Return the profile of everything seen."""
        seen = self.profile
        distinct, unknown, exact = seen.unknown_access_points(self.active.image.access)
        amounts: dict[str, int] = {}
        for header in (header for claim in claims for header in claim.headers):
            for currency, amount in header.amounts.items():
                code = self.vocabulary.currencies.name(currency)
                amounts[code] = amounts.get(code, 0) + amount
        return {
            "bytes": sum(claim.entry.size for claim in claims if isinstance(claim.entry, FileClaim)),
            "records": seen.records,
            "outcomes": {outcome.name.lower(): int(seen.outcomes[outcome]) for outcome in Outcome},
            "reasons": [
                {
                    "reason": Reason(code).name,
                    "outcome": "unrated" if code in _UNRATED else OUTCOMES[Reason(code)].name.lower(),
                    "records": found.records,
                    "first_record": found.first_record,
                }
                for code, found in sorted(seen.reasons.items())
            ],
            "first_event_at": instant(seen.first_at) if seen.is_dated else None,
            "last_event_at": instant(seen.last_at) if seen.is_dated else None,
            "event_types": [self._sums(code) for code in sorted(seen.event_types)],
            "access_points": {
                "distinct": distinct,
                "exact": exact,
                "unknown": unknown,
                "unknown_percent": percent(unknown, distinct),
            },
            "edrs": sum(claim.total("edrs") for claim in claims),
            "rated": sum(claim.total("rated") for claim in claims),
            "unrated": sum(claim.total("unrated") for claim in claims),
            "amounts": {code: from_scaled(value, AMOUNT_DECIMALS) for code, value in sorted(amounts.items())},
        }

    def _sums(self, code: int) -> dict[str, Any]:
        event_type = self.vocabulary.event_types.name(code)
        sums = self.profile.event_types[code]
        own = self._quantity(sums.quantity, event_type)
        edr = self._quantity(sums.edr_quantity, event_type)
        return {
            "event_type": event_type,
            "records": sums.records,
            "readings": sums.readings,
            **(own if sums.readings < sums.records else {**own, "quantity_steps": None, "quantity": None}),
            "edrs": sums.edrs,
            "edr_quantity_steps": edr["quantity_steps"],
            "edr_quantity": edr["quantity"],
        }


def _whole(output: OutputBlock) -> tuple[EdrBlock, UInt16Array]:
    """Return the EDRs of a block, each once and with all of its quantity, and why they are unrated."""
    if output.rated.items is None or output.rest is None:
        return output.edrs, output.rated.reason
    first = np.flatnonzero(output.rated.items.number == 0)
    quantity = output.edrs.quantity[first] + output.rest[first]
    return with_items(output.edrs, first, quantity), output.rated.reason[first]


def _index(cdrs: CdrBlock, row: int) -> int:
    """Return a record's quantity; the counters of 64 bits are kept as their bits."""
    is_wide = cdrs.readings.on_decrease is OnDecrease.WRAP_64
    return int(cdrs.quantity[row]) % 2**64 if is_wide else int(cdrs.quantity[row])


def _fields(decoder: Decoder, cdrs: CdrBlock, row: int) -> dict[str, str]:
    """Return the text of the fields that a decoder reads; none of a record whose bytes it refuses."""
    if not isinstance(cdrs, DecodedBlock) or 0 < cdrs.reason[row] < Reason.FIELD_MISSING:
        return {}
    return {
        name: field_value(cdrs, slot, row).decode("utf-8", "replace") for slot, name in enumerate(decoder.field_names)
    }


def shown_bytes(data: bytes, encoding: str) -> dict[str, Any]:
    """Return how a record's bytes are shown: as `text`, or as `hex` where they are none; the first 64 KiB of them."""
    kept = data[:RAW_BYTES_MAX]
    size = {"bytes": len(data), "truncated": len(data) > len(kept)}
    try:
        text = codecs.getincrementaldecoder(encoding)("strict").decode(kept, final=len(data) == len(kept))
    except UnicodeDecodeError:
        return {"hex": kept.hex(), **size}
    return {"hex": kept.hex(), **size} if _NO_TEXT.intersection(text) else {"text": text, **size}


def instant(microseconds: int) -> str:
    """Return an instant in ISO 8601, in UTC."""
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat().replace("+00:00", "Z")


def percent(part: int, whole: int) -> Decimal | None:
    """Return a share in percent with two decimals; None of nothing."""
    return (Decimal(100 * part) / Decimal(whole)).quantize(Decimal("0.01")) if whole else None


def _short(value: Decimal) -> Decimal:
    """Return a decimal without zeros that say nothing, and without an exponent."""
    return Decimal(f"{value.normalize():f}")
