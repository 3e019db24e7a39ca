"""Meter data of other countries as sources: which flow a file is, tables that a source describes, demand, and profiles."""
