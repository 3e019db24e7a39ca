"""Promises are futures, whatever is asked of them."""

import threading
from concurrent.futures import CancelledError, Future, as_completed, wait

import pytest

from apps.embedded.promise import Promise


def promises(count: int) -> list[Promise[int]]:
    shared = threading.Condition()
    return [Promise(shared) for _ in range(count)]


def test_it_has_what_a_future_has() -> None:
    assert vars(promises(1)[0]).keys() == vars(Future()).keys()


def test_whoever_waits_is_told_of_its_own() -> None:
    first, second = promises(2)
    told: list[int] = []
    waiting = threading.Thread(target=lambda: told.append(second.result(10)))
    waiting.start()
    first.set_result(1)
    assert not second.done()
    second.set_result(2)
    waiting.join()
    assert told == [2]
    assert (first.result(), first.exception()) == (1, None)


def test_it_may_fail_and_be_given_up() -> None:
    failed, cancelled, late = promises(3)
    failed.set_exception(KeyError("x"))
    with pytest.raises(KeyError):
        failed.result()
    assert isinstance(failed.exception(), KeyError)
    assert cancelled.cancel()
    with pytest.raises(CancelledError):
        cancelled.result()
    for ask in (late.result, late.exception):
        with pytest.raises(TimeoutError):
            ask(0.001)


def test_many_can_be_waited_for() -> None:
    made = promises(3)
    assert made[0].set_running_or_notify_cancel()
    threading.Timer(0.01, lambda: [one.set_result(place) for place, one in enumerate(made)]).start()
    assert {one.result() for one in as_completed(made, 10)} == {0, 1, 2}
    assert wait(made).not_done == set()
