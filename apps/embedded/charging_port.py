"""Online charging for Python programs: they own a data directory and ask from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from apps.embedded.charging_looks import check_balance, price_enquiry
from apps.embedded.charging_requests import ChargingAnswer, ChargingRequest
from apps.embedded.session import run_session
from apps.settings import Settings

if TYPE_CHECKING:
    from apps.embedded.engine import Engine
    from apps.embedded.intake import Intake
    from apps.embedded.layout import DataDirectory


class ChargingPort:
    """What `charging_port` yields. Answers are durable when a future has them."""

    def __init__(self) -> None:
        """Wait to be opened."""
        self._engine: Engine | None = None
        self._ready = threading.Event()

    def submit(self, request: ChargingRequest) -> Future[ChargingAnswer]:
        """Ask; the future has the answer, or raises `UnableToRequest`.

        Raises:
            UnableToRequest: when the request cannot be taken as it is.
        """
        return self._open().charging.submit(request)

    def check_balance(self, account: str) -> list[dict[str, Any]]:
        """Return what each wallet of an account holds.

        Raises:
            UnableToRequest: when there is no such account.
        """
        found: list[dict[str, Any]] = self._open().charging.look(lambda engine: check_balance(engine, account)).result()
        return found

    def price_enquiry(self, request: ChargingRequest) -> dict[str, Any]:
        """Return what usage would cost now.

        Raises:
            UnableToRequest: when it names what does not exist.
        """
        found: dict[str, Any] = self._open().charging.look(lambda engine: price_enquiry(engine, request)).result()
        return found

    def _open(self) -> Engine:
        if self._engine is None:  # to ask an event each time costs more than to submit a request
            self._ready.wait()
        assert self._engine is not None
        return self._engine

    # ---- an attendant of the session

    def opened(self, intake: Intake) -> None:
        """Begin to be asked."""
        self._engine = intake.engine
        self._ready.set()

    def closing(self) -> None:
        """End: what waits is answered by the main loop before it ends, or refused."""


@contextmanager
def charging_port(
    directory: DataDirectory, settings: Settings, *, say: Callable[[str], None]
) -> Iterator[ChargingPort]:
    """Own a data directory in a thread, as `octroi run --follow` does, and yield its port; it ends with the block.

    Raises:
        DirectoryIsOwned: when another process owns the directory.
        Exception: what ended the session.
    """
    port, stop = ChargingPort(), threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            run_session(
                directory, settings, [], follow=True, stop=stop, say=say, progress=lambda records: None, attendant=port
            )
        except BaseException as error:
            failures.append(error)
            port._ready.set()

    thread = threading.Thread(target=run, name="octroi", daemon=True)
    thread.start()
    port._ready.wait()
    try:
        if not failures:
            yield port
    finally:
        stop.set()
        thread.join()
    if failures:
        raise failures[0]
