"""Roaming usage as partner networks send it: TAP 3.12."""

from __future__ import annotations

from typing import Literal

from schemas.source_base import EventMapping, SourceBase


class TapSource(SourceBase):
    """TAP files of releases up to 3.12, one record per call event.

    A file is checked whole before its first record: structure, versions, decimals, rates, offsets, and with `audit` the
    totals, the count and the span of times that its end states. A test file is taken only with `accept_test_files`.
    Fields are elements by name, of an element that occurs several times in an event the first; further ones are computed
    or are the file's.
    """

    format: Literal["tap"]
    accept_test_files: bool = False
    audit: bool = True
    mapping: EventMapping
