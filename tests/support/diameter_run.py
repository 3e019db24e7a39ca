"""A Diameter server of `octroi diameter serve` in this process, with a peer beside it in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from apps.diameter.server import DiameterServer
from apps.embedded.layout import DataDirectory
from apps.embedded.session import RunReport, run_session
from apps.settings import DiameterPeer, DiameterSettings, Settings
from connectors.diameter.identity import Limits

OURS = DiameterSettings(host="ocs.test", realm="test", port=0, peers=(DiameterPeer(host="*.epc"),))
CALM = Limits(hello_s=60.0, watchdog_s=600.0, leave_s=2.0)
"""Nobody asks by the watchdog while kernels are compiled: most peers here expect answers only."""


def serve_beside(
    data: Path,
    act: Callable[[str, threading.Event], Awaitable[None]],
    say: Callable[[str], None] = lambda words: None,
    settings: DiameterSettings = OURS,
) -> RunReport:
    """Serve until a peer has had its say; it is told the address, and stops the server by the event or by its end.

    Raises:
        AssertionError: what the peer raised, first of all.
    """
    server = DiameterServer(settings, say, CALM)
    stop = threading.Event()
    failures: list[BaseException] = []

    async def peer() -> None:
        await act(server.addresses[0], stop)

    def run() -> None:
        try:
            server.wait()
            asyncio.run(peer())
        except BaseException as error:
            failures.append(error)
        finally:
            stop.set()

    thread = threading.Thread(target=run, daemon=True)  # it waits for ever when the session does not begin
    thread.start()
    report = run_session(
        DataDirectory(data),
        Settings(data_dir=data, dedup_window_days="unlimited"),
        [],
        follow=True,
        stop=stop,
        say=say,
        progress=lambda records: None,
        attendant=server,
    )
    thread.join()
    assert failures == []
    return report
