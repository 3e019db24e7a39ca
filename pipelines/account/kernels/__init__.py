"""Kernels of the account stage."""
