"""Flows of GRDF, the French distributor of gas."""
