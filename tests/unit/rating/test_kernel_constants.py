"""Kernels import nothing of ours, so they repeat constants of the vocabulary: these must stay equal."""

from __future__ import annotations

from rating.kernels import balance, layout, rate, reasons, wide
from rating.zones import TIMESTAMP_MAX_US, TIMESTAMP_MIN_US
from schemas import cdr, quantity, rated_item, values
from schemas.money import RoundingCode
from schemas.rejection import BEFORE_RATING, Reason


def test_reasons_are_the_vocabularys() -> None:
    given_elsewhere = (*BEFORE_RATING, Reason.NOT_CHARGED_ONLINE)
    for reason in Reason:
        if reason >= 300 and reason not in given_elsewhere:
            assert getattr(reasons, reason.name) == reason


def test_rounding_modes_are_the_vocabularys() -> None:
    assert {code.name: getattr(wide, code.name) for code in RoundingCode} == {code.name: code for code in RoundingCode}


def test_wallet_marks_and_bounds_are_the_vocabularys() -> None:
    assert balance.WALLET_NONE == rated_item.WALLET_NONE
    assert balance.WALLET_SPLIT == rated_item.WALLET_SPLIT
    assert rate.QUANTITY_MAX == quantity.QUANTITY_MAX
    assert layout.ATTRIBUTE_SLOTS == cdr.ATTRIBUTE_SLOTS
    assert layout.VALUE_SLOTS == values.VALUE_SLOTS
    assert layout.LOOKUP_SLOTS == values.LOOKUP_SLOTS
    assert layout.SOURCE_AT == layout.ATTRIBUTE_SLOTS + layout.VALUE_SLOTS + layout.LOOKUP_SLOTS


def test_zone_buckets_cover_all_timestamps() -> None:
    assert layout.ZONE_EPOCH_US == TIMESTAMP_MIN_US
    assert layout.ZONE_EPOCH_US + (layout.ZONE_BUCKETS << layout.ZONE_BUCKET_BITS) >= TIMESTAMP_MAX_US
