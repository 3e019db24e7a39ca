"""Diameter: messages, dictionaries and captures."""
