"""Loops over rows for the compiler."""
