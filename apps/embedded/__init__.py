"""Embedded mode: every stage and the store in one process, on one data directory."""
