"""Compare what a TAP file says about its events with what they are, in whole numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels.tap import AMOUNTS
from pipelines.mediation.tap.elements import Element, Piece
from pipelines.mediation.tap.head import LOCAL_TIME, OFFSET, Head, read_offset
from schemas.arrays import Int64Array

TOTALS = (
    ("totalCharge", 415), ("totalTaxValue", 226), ("totalDiscountValue", 225), ("totalChargeRefund", 355),
    ("totalTaxRefund", 353), ("totalDiscountRefund", 354),
)  # fmt: skip
"""Name and tag of each total, in the order of the columns of amounts (`pipelines.mediation.kernels.tap`)."""
NEEDED = ("totalCharge", "callEventDetailsCount")
COUNT = 43
EARLIEST, LATEST = 101, 133
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LOW = (1 << 32) - 1


@dataclass(slots=True)
class Sums:
    """What a file's events come to.

    Attributes:
        count: how many there are; totals: of each column of amounts.
        earliest, latest: seconds since 1970 UTC at which they started; None when none says when.
    """

    count: int = 0
    totals: list[int] = field(default_factory=lambda: [0] * AMOUNTS)
    earliest: int | None = None
    latest: int | None = None

    def add(self, amounts: Int64Array, earliest: int, latest: int) -> None:
        """Add events: (n, AMOUNTS) amounts, and between which seconds they started (none when `earliest` > `latest`)."""
        self.count += len(amounts)
        for column in range(AMOUNTS):  # halves of 32 bits: neither sum can leave 64 bits
            high, low = int(np.sum(amounts[:, column] >> 32)), int(np.sum(amounts[:, column] & LOW))
            self.totals[column] += (high << 32) + low
        if earliest <= latest:
            self.earliest = earliest if self.earliest is None else min(self.earliest, earliest)
            self.latest = latest if self.latest is None else max(self.latest, latest)


def mismatch(message: str) -> UnableToDecodeFile:
    """Return the refusal of a file whose own sums are not those of its events."""
    return UnableToDecodeFile("AUDIT_MISMATCH", message)


def expect_sums(piece: Piece, audit: Element | None, head: Head, sums: Sums) -> None:
    """Compare a file's auditControlInfo with its events.

    A total of taxes, discounts or refunds that the file leaves out is zero; times that it leaves out are not compared.

    Raises:
        UnableToDecodeFile: AUDIT_MISMATCH, with both numbers.
    """
    if audit is None:
        raise mismatch(f"the file has {sums.count} events and no auditControlInfo")
    said = {name: piece.integer(audit.find(number)) for name, number in (*TOTALS, ("callEventDetailsCount", COUNT))}
    for name in NEEDED:
        if said[name] is None:
            raise mismatch(f"auditControlInfo has no {name}")
    if said["callEventDetailsCount"] != sums.count:
        raise mismatch(f"callEventDetailsCount is {said['callEventDetailsCount']}, the file has {sums.count} events")
    for (name, _), total in zip(TOTALS, sums.totals, strict=True):
        if (said[name] or 0) != total:
            raise mismatch(f"{name} is {said[name] or 0}, the events come to {total}{_unit(head)}")
    _expect_times(piece, audit, sums)


def _unit(head: Head) -> str:
    return f" (with {head.places} decimals)" if head.places else ""


def _expect_times(piece: Piece, audit: Element, sums: Sums) -> None:
    earliest, latest = _instant(piece, audit, EARLIEST), _instant(piece, audit, LATEST)
    if earliest is not None and latest is not None and earliest > latest:
        raise mismatch(f"earliestCallTimeStamp {_shown(earliest)} is after latestCallTimeStamp {_shown(latest)}")
    if earliest is not None and sums.earliest is not None and sums.earliest < earliest:
        raise mismatch(f"earliestCallTimeStamp is {_shown(earliest)}, an event started at {_shown(sums.earliest)}")
    if latest is not None and sums.latest is not None and sums.latest > latest:
        raise mismatch(f"latestCallTimeStamp is {_shown(latest)}, an event started at {_shown(sums.latest)}")


def _instant(piece: Piece, audit: Element, number: int) -> int | None:
    """Return the instant that an element says; None when it is absent."""
    found = audit.find(number)
    if found is None:
        return None
    text, offset = piece.text(found.find(LOCAL_TIME)), read_offset(piece.text(found.find(OFFSET)))
    try:
        local = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        local = None
    if local is None or offset is None or len(text) != 14 or not text.isascii():
        raise mismatch(f"auditControlInfo has {text!r} where a time should be")
    return int((local - EPOCH).total_seconds()) - offset


def _shown(seconds: int) -> str:
    try:
        return (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:  # the years 0 and 10000
        return f"{seconds} s since 1970"
