"""Kernels of the resource stage: numpy and numba only."""
