"""The independent recount: counts, quantities and money of raw files, to the last unit, by code of its own."""

from benchmarks.recount.delimited import recount_telephony
from benchmarks.recount.events import recount_cloud
from benchmarks.recount.readings import recount_meters
from benchmarks.recount.result import Recount

__all__ = ["Recount", "recount_cloud", "recount_meters", "recount_telephony"]
