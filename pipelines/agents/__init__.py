"""Faust agents, thin: they take a block, have the pure stage work on it in an executor, and send what came of it."""
