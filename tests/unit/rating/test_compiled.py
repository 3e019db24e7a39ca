"""Kernels of rating count no references: see `rating.kernels.compiled`."""

from __future__ import annotations

import importlib
import pkgutil

from numba.core.dispatcher import Dispatcher

import rating.kernels

COUNTING = {"rating.kernels.hashing", "rating.kernels.index", "rating.kernels.reverse"}
"""They allocate, serve other rooms or take usage back, and are no part of the loop over usage."""


def test_no_kernel_that_rates_counts_references() -> None:
    for found in pkgutil.iter_modules(rating.kernels.__path__, "rating.kernels."):
        for name, value in vars(importlib.import_module(found.name)).items():
            if not isinstance(value, Dispatcher) or value.py_func.__module__ in COUNTING:
                continue
            options = value.targetoptions
            assert options.get("inline") == "always" or options.get("_nrt") is False, (
                f"{found.name}.{name}: use `kernel`"
            )
