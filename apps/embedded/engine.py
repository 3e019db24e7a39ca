"""The embedded engine: the log is replayed from the latest snapshot, then every new entry goes through all the stages.

Exactly once: state and output are functions of the journal. The store says which blocks it holds completely; a block
that it misses is emitted again, the same, after a crash.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from apps.embedded.files import ClaimedFile, QuarantinedFile, inspect_file
from apps.embedded.images import ActiveImage, activate, archive_catalog, opening_credit_rows, recompile
from apps.embedded.layout import DataDirectory
from apps.embedded.threads import Ahead, Writer
from apps.settings import Settings
from billing.catalog.store import load_catalog
from pipelines.account.stage import ClaimContext, finish_edrs, finish_records
from pipelines.mediation.decode import decode_blocks, describe
from pipelines.resource.stage import process
from pipelines.snapshot import StageState, read_latest_snapshot, write_snapshot
from pipelines.spool.claims import Terms
from pipelines.spool.journal import Discard, EdrRetry, FileClaim, ImageClaim, Journal, JournalEntry, RecordRetry
from schemas.cdr import BlockPosition, CdrBlock
from schemas.edr import PACKED_WORDS, unpack
from schemas.output import OutputBlock
from sinks.clickhouse.store import Completeness, Store

EDR_BLOCK = 50_000
"""Retried EDRs per block."""
