"""Ids that people type: a rated item is named by its place in the log, never by a random number."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FORM = re.compile(r"ri-(\d{1,10})-(\d{1,10})(?:-(\d{1,3}))?(?:\.(\d{1,3}))?")


@dataclass(frozen=True, slots=True, order=True)
class RatedItemId:
    """Rated item `item` of branch `branch` of record `record` of claim `claim`.

    Written `ri-CLAIM-RECORD`; from branch 1 on, `ri-CLAIM-RECORD-BRANCH`; from item 1 on, followed by `.ITEM`.
    """

    claim: int
    record: int
    branch: int = 0
    item: int = 0

    def __str__(self) -> str:
        """Return the written form."""
        branch, item = f"-{self.branch}" if self.branch else "", f".{self.item}" if self.item else ""
        return f"ri-{self.claim}-{self.record}{branch}{item}"

    @classmethod
    def parse(cls, text: str) -> RatedItemId:
        """Return the id written in `text`.

        Raises:
            ValueError: when the text has another form.
        """
        match = _FORM.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a rated item id; they look like ri-12-3456")
        return cls(int(match[1]), int(match[2]), int(match[3] or 0), int(match[4] or 0))
