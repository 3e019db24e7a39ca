"""The arithmetic: pure, deterministic, no I/O, no clock."""
