"""What the names of a source's files say: whose they are, which number they have, which part of how many they are."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.price_plan import Document

GroupName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]
COUNTED = ("sequence", "part", "parts", "date")
"""Groups that say which file of its stream a file is; all others may tell streams apart."""


class FileNames(Document):
    """The pattern that a file's whole name fits, a regular expression of Python with named groups.

    `sequence` is the number that the sender counts its files with, one stream for each text of the groups `per`; `part` of
    `parts` says that what has one number comes in so many files; `date`, whose texts sort by time, tells a stream that
    began again at 1 from files that came late. Files of an archive have its name, "!" and their own.
    """

    pattern: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    per: Annotated[tuple[GroupName, ...], Field(max_length=8)] = ()

    @property
    def compiled(self) -> re.Pattern[str]:
        """The pattern, compiled.

        Raises:
            re.error: when it is no regular expression.
        """
        return re.compile(self.pattern)
