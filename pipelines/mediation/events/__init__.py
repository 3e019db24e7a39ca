"""CloudEvents 1.0 in JSON, one event per line."""
