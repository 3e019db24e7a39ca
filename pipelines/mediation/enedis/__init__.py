"""Flows of Enedis, the French distribution grid operator."""
