"""What is kept of requests, when they are kept for less time than before."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import numpy as np
import pytest

from pipelines.account import kept as kept_module
from pipelines.account.kept import ITEM, KEPT, PART, SECOND_US, Items, KeptRequests
from schemas.charging import Standing

HOUR_US = 3600 * SECOND_US


@pytest.fixture(autouse=True)
def small_pages() -> Iterator[None]:
    with mock.patch.object(kept_module, "PAGE_BITS", 1), mock.patch.object(kept_module, "PAGE_ROWS", 2):
        yield


def keep(kept: KeptRequests, first: int, at: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Keep two reservations that are held for an hour."""
    rows = np.zeros(2, KEPT)
    rows["request"]["lo"] = first + np.arange(2)
    rows["at"], rows["answer"]["expires_at"], rows["standing"] = at, at + HOUR_US, Standing.OPEN
    return kept.keep(rows, Items.none(2))


def test_what_is_open_is_not_forgotten() -> None:
    kept = KeptRequests()
    places = keep(kept, 1, 0)
    keep(kept, 3, SECOND_US)
    kept.forget(2 * SECOND_US)
    assert kept.expired(HOUR_US).tolist() == places.tolist()


def test_what_ended_and_was_forgotten_is_not_due() -> None:
    kept = KeptRequests()
    kept.set_standing(keep(kept, 1, 0), Standing.CANCELLED)
    places = keep(kept, 3, SECOND_US)
    kept.forget(2 * SECOND_US)
    assert len(kept) == 2
    assert kept.expired(2 * HOUR_US).tolist() == places.tolist()


def test_only_charges_whose_items_were_taken_back_are_withdrawn() -> None:
    kept = KeptRequests()
    rows = np.zeros(4, KEPT)
    rows["request"]["lo"] = 1 + np.arange(4)
    rows["answer"]["claim"], rows["answer"]["record"] = (3, 3, 4, 3), (0, 1, 1, 2)
    rows["standing"] = (Standing.CHARGED, Standing.CHARGED, Standing.CHARGED, Standing.CANCELLED)
    places = kept.keep(rows, Items.none(4))
    kept.withdraw(np.array([9, 3, 3]), np.array([9, 1, 2]))
    assert kept.rows(places)["standing"].tolist() == [
        Standing.CHARGED,
        Standing.REFUNDED,
        Standing.CHARGED,
        Standing.CANCELLED,
    ]


def test_items_come_in_the_order_of_places_from_whichever_pages() -> None:
    kept = KeptRequests()
    rows = np.zeros(5, KEPT)
    rows["request"]["lo"] = 1 + np.arange(5)
    priced = np.zeros(6, ITEM)
    priced["amount"], priced["part_count"] = (10, 20, 21, 30, 40, 41), (0, 2, 0, 0, 0, 1)
    parts = np.array([(7, 12), (8, 8), (9, 41)], PART)
    places = kept.keep(rows, Items(np.array([0, 1, 3, 4, 4, 6]), priced, parts))
    assert len(kept.pages) == 3
    found = kept.items(places[[4, 0, 3, 1]])
    assert found.ptr.tolist() == [0, 2, 3, 3, 5]
    assert found.rows["amount"].tolist() == [40, 41, 10, 20, 21]
    assert found.parts.tolist() == [(9, 41), (7, 12), (8, 8)]
    assert kept.items(places[:0]).ptr.tolist() == [0]


def test_reservations_are_due_by_their_time_whichever_came_first() -> None:
    kept = KeptRequests()
    later = keep(kept, 1, 9 * SECOND_US)
    sooner = keep(kept, 3, 5 * SECOND_US)
    assert not kept.is_due(HOUR_US + 5 * SECOND_US - 1)
    assert kept.expired(HOUR_US + 6 * SECOND_US).tolist() == sooner.tolist()
    assert kept.expired(HOUR_US + 10 * SECOND_US).tolist() == later.tolist()
    assert not kept.is_due(10 * HOUR_US)
