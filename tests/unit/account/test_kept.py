"""What is kept of requests, when they are kept for less time than before."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import numpy as np
import pytest

from pipelines.account import kept as kept_module
from pipelines.account.kept import KEPT, SECOND_US, Items, KeptRequests
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
