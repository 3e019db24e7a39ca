"""RADIUS accounting."""
