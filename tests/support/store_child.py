"""A process that stores blocks and may be killed: `store_child.py DIRECTORY BLOCKS MODE`. No part of the product.

MODE `write` stores what is missing, in flushes of three blocks, and prints one line per flush. MODE `full` first meets a
disk on which files cannot grow beyond a limit, then one on which they can.
"""

from __future__ import annotations

import resource
import signal
import sys
from pathlib import Path

from output_blocks import Ledger, names

from sinks.clickhouse.store import Store, UnableToStore

FLUSH = 3


def main(directory: str, count: int, mode: str) -> None:
    """Do what the module says."""
    store = Store.open(Path(directory))
    store.migrate()
    ledger = Ledger(seed=11)
    credits = ledger.credits(1)
    blocks = [ledger.block(2 + number // 5, number % 5, rows=400) for number in range(count)]
    if mode == "full":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
        try:
            store.write(blocks)
        except UnableToStore as error:
            print("refused", "transient" if error.transient else "terminal", error, flush=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        store.write_names(names())
        store.write_movements(credits, tenant="acme")
        store.write(blocks)
        print("stored", flush=True)
    else:
        store.write_names(names())
        store.write_movements(credits, tenant="acme")
        found = store.completeness(1, 0)
        print("open", len(found.complete), flush=True)
        missing = [block for block in blocks if (block.header.claim, block.header.block) not in found.complete]
        for first in range(0, len(missing), FLUSH):
            store.write(missing[first : first + FLUSH], found.present)
            print("flushed", flush=True)
        print("stored", flush=True)
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
