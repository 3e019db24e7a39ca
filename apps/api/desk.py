"""The desk between requests and the tenant's database: opened once, asked in threads, so that the server goes on meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from apps.api.problems import Problem
from apps.control.places import open_tenant
from apps.settings import Settings
from billing.access.store.database import Database, UnableToOpenDatabase, UnknownTenant

THREADS = 4
"""Requests that read or change the database at the same time; others wait for one of these."""
KEY_THREADS = 2
"""Look-ups of keys at the same time: they wait for no request, so that usage is taken while others wait for the database."""
SLOW_THREADS = 2
"""Requests that wait for the engine or for another process at the same time: they hold none of the threads above."""
SLOW_WAITING_MAX = 16
"""Requests of that kind that are on their way, those that have a thread among them."""
Returned = TypeVar("Returned")


class Desk:
    """The database of the tenant whose engine this process owns."""

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._lock = threading.Lock()
        self._database: Database | None = None
        self._requests = 0
        self._slow_requests = 0
        self._waiting_aside: set[str] = set()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="database")
        self._keys = ThreadPoolExecutor(KEY_THREADS, thread_name_prefix="keys")
        self._slow = ThreadPoolExecutor(SLOW_THREADS, thread_name_prefix="slow")
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="aside")

    @property
    def settings(self) -> Settings:
        """What is configured."""
        return self._settings

    def find(self) -> Database | None:
        """Return the database, None when there is none; it is opened when it is first asked for and there.

        Raises:
            Problem: unavailable, when there is one that cannot be used.
        """
        with self._lock:
            if self._database is None:
                try:
                    self._database = open_tenant(self._settings)
                except UnknownTenant:
                    return None
                except UnableToOpenDatabase as error:
                    told = f"the database of tenant {self._settings.tenant} cannot be used"
                    raise Problem("unavailable", told, headers={"Retry-After": "5"}) from error
            return self._database

    def database(self) -> Database:
        """Return the database.

        Raises:
            Problem: unavailable, when there is none, or none that can be used.
        """
        found, code = self.find(), self._settings.tenant
        if found is None:
            raise Problem("unavailable", f"there is no database of tenant {code}: `octroi tenant add {code}` makes one")
        return found

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Count a request, with what it holds, among those that are on their way; called by the server's thread alone.

        Raises:
            Problem: too-many-requests.
        """
        if self._requests >= self._settings.http_waiting_requests_max:
            raise Problem(
                "too-many-requests", f"{self._requests} requests are on their way", headers={"Retry-After": "1"}
            )
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1

    async def run(self, action: Callable[[], Returned]) -> Returned:
        """Return what an action says, run in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, action)

    async def run_slow(self, action: Callable[[], Returned]) -> Returned:
        """Return what an action says that waits for the engine or for another process; called by the server's thread alone.

        Raises:
            Problem: too-many-requests.
        """
        if self._slow_requests >= SLOW_WAITING_MAX:
            told = f"{self._slow_requests} requests wait for the engine or for what is checked beside it"
            raise Problem("too-many-requests", told, headers={"Retry-After": "5"})
        self._slow_requests += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._slow, action)
        finally:
            self._slow_requests -= 1

    async def recognise(self, action: Callable[[], Returned]) -> Returned:
        """Return who asks, looked up in a thread that no other request holds."""
        with self.admit():
            return await asyncio.get_running_loop().run_in_executor(self._keys, action)

    def aside(self, name: str, action: Callable[[], object]) -> None:
        """Run an action some time, unless one of this name waits already: nobody waits for it, and it may fail."""
        with self._lock:
            if name in self._waiting_aside:
                return
            self._waiting_aside.add(name)

        def act() -> None:
            with self._lock:
                self._waiting_aside.discard(name)
            action()

        self._aside.submit(act)
