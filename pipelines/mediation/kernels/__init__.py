"""Kernels of the decode stage: numpy and numba only, one concern per file."""
