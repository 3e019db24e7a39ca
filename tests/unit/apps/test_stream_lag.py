"""Being ready is getting on: what the probe of a worker makes of the offsets that it sees."""

from __future__ import annotations

from apps.workers.probes import STALL_S, Lag

PLACE = ("usage.cdr.decoded.v1", 0)


def _look(lag: Lag, committed: int, end: int, now: float) -> None:
    lag.look({PLACE: committed}, {PLACE: end}, now)


def test_input_of_which_nothing_gets_done_is_a_stall() -> None:
    lag = Lag("octroi.resource")
    for now in range(0, 41, 10):
        _look(lag, 5, 10 + now, float(now))
    assert lag.stalled(10 + STALL_S - 1) == []
    assert lag.stalled(10 + STALL_S) == [PLACE]
    assert lag.records(PLACE) == 45
    assert lag.seconds(PLACE, 40.0) == 40.0
    _look(lag, 6, 60, 50.0)  # it moves again
    assert lag.stalled(1000.0) == []


def test_a_backlog_that_shrinks_or_rests_is_none() -> None:
    lag = Lag("octroi.resource")
    for now in range(10):
        _look(lag, now, 1000 + now, float(now))  # behind, but getting on
    for now in range(10, 100):
        _look(lag, 9, 1009, float(now))  # nothing more comes
    assert lag.stalled(100.0) == []
    _look(lag, 1009, 1009, 100.0)
    assert (lag.records(PLACE), lag.seconds(PLACE, 200.0)) == (0, 0.0)


def test_a_group_that_has_committed_nothing_is_behind_everything() -> None:
    lag = Lag("octroi.sink")
    _look(lag, -1001, 7, 0.0)
    assert lag.records(PLACE) == 7
