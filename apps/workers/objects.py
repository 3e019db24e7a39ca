"""The object store: a local directory, or any that obstore knows by address (s3://, gs://, az://)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore, from_url


class Objects:
    """Named bytes that are written once, whole or not at all."""

    def __init__(self, address: str) -> None:
        """Open the store at an address, or in a directory, which is made."""
        if "://" in address:
            self._store: Any = from_url(address)
        else:
            Path(address).mkdir(parents=True, exist_ok=True)
            self._store = LocalStore(address)

    def create(self, name: str, content: bytes) -> bool:
        """Write an object unless there is one with this name; return whether it was written."""
        try:
            obstore.put(self._store, name, content, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def create_file(self, name: str, path: Path) -> None:
        """Write a file as an object; one that is there is left."""
        try:
            obstore.put(self._store, name, path, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return

    def read(self, name: str) -> bytes:
        """Return an object.

        Raises:
            FileNotFoundError: when there is none with this name.
        """
        return obstore.get(self._store, name).bytes().to_bytes()

    def read_json(self, name: str) -> dict[str, Any]:
        """Return an object that is JSON; raises as `read`."""
        found: dict[str, Any] = json.loads(self.read(name))
        return found

    def names(self, prefix: str) -> list[str]:
        """Return the names of all objects below a prefix, sorted."""
        return sorted(item["path"] for batch in obstore.list(self._store, f"{prefix}/") for item in batch)

    def delete(self, names: list[str]) -> None:
        """Remove objects; one that is gone already is no error."""
        for name in names:
            try:
                obstore.delete(self._store, name)
            except FileNotFoundError:
                continue
