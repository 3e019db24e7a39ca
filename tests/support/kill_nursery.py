"""A process that has imported octroi and opened nothing, and forks one child per command line. No part of the product.

Importing takes longer than a short run. A child is a process of its own, in a group of its own, from `fork` to its end. The
nursery kills it, because only its parent knows that the number is still its own.

Requests are JSON lines on stdin, answers JSON lines on stdout; `kill_world.Nursery` writes and reads them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from apps.jit import prepare_cache

prepare_cache()

import kill_points as points  # noqa: E402
import numpy as np  # noqa: E402
from numba.core.caching import FunctionCache  # noqa: E402
from numba.core.dispatcher import Dispatcher  # noqa: E402

import apps.embedded.access  # noqa: E402
import apps.embedded.retry  # noqa: E402
import apps.embedded.session  # noqa: E402
from apps.cli import main as octroi  # noqa: E402
from rating.kernels.hashing import hash_ranges  # noqa: E402


def main() -> None:
    """Answer requests until stdin ends."""
    _load_numba()
    _load_kernels()
    for line in sys.stdin:
        request = json.loads(line)
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _child(request)
        killed_at = None if request["kill_after_s"] is None else started + request["kill_after_s"]
        _, status, usage = _wait(pid, killed_at)
        answer = {
            "code": os.waitstatus_to_exitcode(status),
            "wall_s": time.monotonic() - started,
            "cpu_s": usage.ru_utime + usage.ru_stime,
        }
        print(json.dumps(answer), flush=True)


def _load_numba() -> None:
    """Load one kernel: the first one that a process loads costs half a second, and starts no thread."""
    nothing, zero = np.zeros(0, np.int64), np.uint64(0)
    hashes = np.zeros(0, np.uint64)
    hash_ranges(np.zeros(64, np.uint8), nothing, nothing, zero, zero, hashes, hashes)


def _load_kernels() -> None:
    """Load all that is cached of the kernels that are imported, as children would, one after the other; compile nothing."""
    for name, module in list(sys.modules.items()):
        if ".kernels." not in name or not name.startswith(("pipelines.", "rating.")):
            continue
        for kernel in vars(module).values():
            if isinstance(kernel, Dispatcher) and isinstance(kernel._cache, FunctionCache):
                for signature, *_ in kernel._cache._cache_file._load_index():
                    kernel.compile(signature)


def _wait(pid: int, killed_at: float | None) -> Any:
    while killed_at is not None and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        left = killed_at - time.monotonic()
        if left <= 0:
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:  # it has no group of its own yet
                os.kill(pid, signal.SIGKILL)
            break
        time.sleep(min(left, 0.002))
    return os.wait4(pid, 0)


def _child(request: dict[str, Any]) -> None:
    code: Any = 70
    try:
        os.setpgid(0, 0)
        for stream, path in ((0, os.devnull), (1, request["out"]), (2, request["err"])):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(handle, stream)
        _install(request)
        sys.argv = ["octroi", *request["arguments"]]
        octroi()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _install(request: dict[str, Any]) -> None:
    if request["later_s"]:
        now_us = apps.embedded.access.now_us
        apps.embedded.access.now_us = lambda: now_us() + request["later_s"] * 1_000_000
    fault = request["fault"]
    match fault:
        case {"die_at": point, "nth": nth}:
            points.install(points.die_at(point, nth))
        case {"fill_at": point, "nth": nth}:
            points.install(points.fill_at(point, nth))
        case {"refuse_sync": module, "nth": nth}:
            points.refuse_sync(module, nth)
        case _:
            points.install(points.note_in(Path(request["phase"])))


if __name__ == "__main__":
    main()
