"""The Diameter server: asyncio in a thread of its own, beside the owner's main loop."""

from __future__ import annotations

import asyncio
import gc
import random
import ssl
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from apps.diameter.accounting import Accounting
from apps.diameter.asking import Asking
from apps.diameter.charging import CreditControl
from apps.diameter.front import Front
from apps.embedded.intake import Intake
from apps.settings import DiameterSettings
from connectors.diameter.hub import Hub
from connectors.diameter.identity import Answer, Identity, Limits, PeerRule, Request
from connectors.diameter.server import listening
from pipelines.mediation.diameter.codes import Application
from pipelines.mediation.diameter.credit_columns import read_credit_columns
from pipelines.mediation.diameter.messages import HEADER_BYTES

_STOP_S = 0.005
SWITCH_S = 0.0005
"""How long one thread keeps the interpreter while another wants it. Peers' thread needs it for a moment and often; at the 5 ms
of Python, each call of the system could cost it as much."""
COLLECT = 50_000, 20, 50
"""For how much the collector of garbage waits: requests leave nothing in cycles, and it would look through all sessions."""
_JITTER_S = 2.0
"""By how much watchdogs differ (RFC 3539 §3.4.1)."""


class Applications:
    """Answers requests by whose messages they are."""

    def __init__(self, credit: CreditControl, accounting: Accounting | None) -> None:
        """Take what answers each."""
        self._credit, self._accounting = credit, accounting

    async def __call__(self, request: Request) -> Answer:
        """Answer a request of a peer.

        Raises:
            UnableToReadMessage: with what it is answered with.
        """
        if self._accounting is not None and request.header.application == Application.ACCOUNTING:
            return await self._accounting(request)
        return await self._credit(request)


class DiameterServer:
    """An attendant of a session: it listens from the time when the log is recovered until the session ends.

    Attributes:
        addresses: where it listens; set once it does.
    """

    def __init__(self, settings: DiameterSettings, say: Callable[[str], None], limits: Limits | None = None) -> None:
        """Read certificates, so that a wrong one is known before anything begins.

        Raises:
            OSError: when a certificate or key cannot be read.
        """
        self._settings, self._say = settings, say
        self._limits = limits or Limits()
        self._tls = _tls(settings)
        self.addresses: list[str] = []
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._intake: Intake | None = None
        self._accounting: Accounting | None = None

    def opened(self, intake: Intake) -> None:
        """Begin to listen.

        Raises:
            OSError: when an address cannot be had.
            UnableToAccount: when the setting names a source that takes no accounting.
        """
        self._intake = intake
        if self._settings.accounting is not None:
            self._accounting = Accounting(intake, self._settings.accounting)
        read_credit_columns(
            [bytes(HEADER_BYTES)], HEADER_BYTES
        )  # compiled or loaded now, and not while the first peer waits
        self._before = sys.getswitchinterval(), gc.get_threshold()
        sys.setswitchinterval(SWITCH_S)
        gc.set_threshold(*COLLECT)
        self._thread = threading.Thread(target=self._run, name="diameter", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    def closing(self) -> None:
        """Let what is on its way end, tell peers good-bye, and stop; called by the main loop, which serves it meanwhile."""
        thread, intake = self._thread, self._intake
        if thread is None or intake is None or self._loop is None or self._stop is None:
            return
        with suppress(RuntimeError):  # it ended by itself
            self._loop.call_soon_threadsafe(self._stop.set)
        end = time.monotonic() + 3 * self._limits.leave_s
        while thread.is_alive() and time.monotonic() < end:
            intake.run_commands()
            thread.join(_STOP_S)
        switch_s, collect = self._before
        sys.setswitchinterval(switch_s)
        gc.set_threshold(*collect)

    def wait(self) -> None:
        """Wait until it listens."""
        self._ready.wait()

    def _run(self) -> None:
        try:
            asyncio.run(self._listen())
        except BaseException as error:
            self._failure = error
            self._say(f"the Diameter server ended: {error}")
        finally:
            self._ready.set()

    @property
    def _applications(self) -> tuple[int, ...]:
        served = (Application.CREDIT_CONTROL,)
        return served if self._accounting is None else (*served, Application.ACCOUNTING)

    async def _listen(self) -> None:
        settings, intake = self._settings, self._intake
        assert intake is not None
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        started = int(time.time())
        chance = random.SystemRandom()
        credit = CreditControl(intake.engine)
        hub = Hub(
            identity=Identity(
                settings.host, settings.realm, started % 2**32, frozenset(settings.realms), self._applications
            ),
            handler=Applications(credit, self._accounting),
            rules=[PeerRule(peer.host, tuple(map(str, peer.networks))) for peer in settings.peers],
            limits=self._limits,
            say=self._say,
            failed=lambda error: self._say(f"a defect of octroi, please report it: {error!r}"),
            jitter=lambda: chance.uniform(-_JITTER_S, _JITTER_S),
            first_id=(started & 0xFFF) << 20 | chance.getrandbits(20),  # RFC 6733 §3
        )
        hub.together = Front(hub, credit)
        asking = Asking(hub, credit, self._loop)
        intake.engine.beside["diameter"] = asking.requested
        intake.engine.wallets.changed.append(asking.changed)
        async with listening(hub, settings.listen, settings.port, self._tls) as self.addresses:
            for address in self.addresses:
                self._say(f"listening on {address}")
            self._ready.set()
            await self._stop.wait()
            del intake.engine.beside["diameter"]
            intake.engine.wallets.changed.remove(asking.changed)


def _tls(settings: DiameterSettings) -> ssl.SSLContext | None:
    if settings.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.certificate, settings.key)
    if settings.authorities is not None:
        context.load_verify_locations(settings.authorities)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
