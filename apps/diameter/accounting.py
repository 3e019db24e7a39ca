"""Accounting over Diameter (Rf): requests that come together are one file of a source, and answered once it is stored.

What is identical to what came before is a duplicate to the source, whichever connection it came by, whatever its T flag
says (RFC 6733 §9.4): the answer is the same, and nothing is counted twice.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from apps.embedded.intake import Intake
from apps.embedded.posted import Receipt, digest, take_posted
from connectors.diameter.identity import Answer, Request
from pipelines.mediation.diameter.codes import Application, Command, Result
from pipelines.mediation.diameter.fields import write_all
from pipelines.mediation.diameter.messages import Message, UnableToReadMessage, encode_message
from pipelines.spool.claims import Arrival, UnableToClaim
from schemas.source_diameter import DiameterSource

TOGETHER_MAX = 4096
TOGETHER_BYTES = 8 << 20
"""Requests of one file: so many, or so many bytes. What comes while a file is stored is the next one."""


class UnableToAccount(Exception):
    """The setting names a source that takes no accounting."""


@dataclass(slots=True)
class Accounting:
    """Takes Accounting-Requests into a source.

    Attributes:
        intake: of the owner's main loop. source: code of the source.
    """

    intake: Intake
    source: str
    _waiting: list[tuple[bytes, asyncio.Future[Receipt]]] = field(default_factory=list)
    _busy: bool = False
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Forget bodies that a crash left behind: nobody was told that they had come.

        Raises:
            UnableToAccount: when the catalog in force has no such source.
        """
        self._require_source()
        directory = self._directory
        directory.mkdir(exist_ok=True)
        for path in directory.iterdir():
            path.unlink()

    @property
    def _directory(self) -> Path:
        return self.intake.engine.directory.spool.incoming / ".diameter"

    def _require_source(self) -> None:
        active = self.intake.engine.active
        found = None if active is None else active.catalog.sources.get(self.source)
        if not isinstance(found, DiameterSource) or "ACR" not in found.messages:
            raise UnableToAccount(
                f"the setting diameter says that accounting is of the source {self.source!r}: the catalog in force has no "
                "source of that name whose format is diameter and that reads the message ACR"
            )

    async def __call__(self, request: Request) -> Answer:
        """Answer a request once what it says is stored, refused records with their reason included.

        Raises:
            UnableToReadMessage: when it cannot be stored now.
        """
        if request.header.command != Command.ACCOUNTING:
            raise UnableToReadMessage(Result.COMMAND_UNSUPPORTED, "only requests for accounting are served")
        said = request.said
        kind, number = said.need("Accounting-Record-Type"), said.need("Accounting-Record-Number")
        if not 1 <= kind <= 4:
            raise UnableToReadMessage(
                Result.INVALID_AVP_VALUE,
                f"there is no Accounting-Record-Type {kind}",
                failed=said.raw("Accounting-Record-Type")[:1],
            )
        receipt = await self._stored(encode_message(Message(request.header, tuple(said.avps))))
        if receipt.quarantine is not None:
            raise UnableToReadMessage(Result.UNABLE_TO_COMPLY, receipt.quarantine.message)
        told = {
            "Accounting-Record-Type": kind,
            "Accounting-Record-Number": number,
            "Acct-Application-Id": int(Application.ACCOUNTING),
        }
        return Answer(Result.SUCCESS, write_all(told))

    async def _stored(self, raw: bytes) -> Receipt:
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append((raw, future))
        if not self._busy:
            self._busy = True
            task = asyncio.ensure_future(self._store_all())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _store_all(self) -> None:
        """Store what waits, a file after another, until nothing does."""
        try:
            while self._waiting:
                await self._store(self._next())
        finally:
            self._busy = False

    def _next(self) -> list[tuple[bytes, asyncio.Future[Receipt]]]:
        size = count = 0
        for raw, _ in self._waiting[:TOGETHER_MAX]:
            if count and size + len(raw) > TOGETHER_BYTES:
                break
            size, count = size + len(raw), count + 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    async def _store(self, group: Sequence[tuple[bytes, asyncio.Future[Receipt]]]) -> None:
        loop = asyncio.get_running_loop()
        path = self._directory / secrets.token_hex(16)
        body = b"".join(raw for raw, _ in group)
        failure: Exception | None = None
        try:
            await loop.run_in_executor(None, _write, path, body)
            receipt = await asyncio.wrap_future(self._submit(path, body))
        except (UnableToClaim, OSError) as error:
            self.intake.engine.report(f"{len(group)} requests for accounting are refused: {error}")
            failure = UnableToReadMessage(Result.TOO_BUSY, "there is no room for it now")
        except Exception as error:  # told to whoever asked, whose connection reports it
            failure = error
        if failure is not None:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        for _, future in group:
            if future.done():  # whoever asked is gone
                continue
            if failure is None:
                future.set_result(receipt)
            else:
                future.set_exception(failure)

    def _submit(self, path: Path, body: bytes) -> Future[Receipt]:
        secret = self.intake.engine.secret
        arrival = Arrival(self.source, f"diameter-{digest(secret, b'accounting', body)}.bin", path)
        return self.intake.submit(lambda engine: take_posted(engine, [arrival], self.intake.claimed)[0])


def _write(path: Path, body: bytes) -> None:
    with path.open("xb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
