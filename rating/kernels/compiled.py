"""How kernels of rating are compiled: cached, without the lock of Python, and without counting references to arrays.

Numba counts a reference where an array, or a view of it, is passed on, with an atomic operation each time; that was half of
the time of a usage. A kernel allocates nothing and returns numbers, and its caller holds all arrays until it returns, so there
is nothing to count. One that allocates does not compile: take what it needs as an argument.
"""

from __future__ import annotations

from typing import Any

from numba import njit

OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}
kernel: Any = njit(**OPTIONS)
"""Decorator of a kernel."""
