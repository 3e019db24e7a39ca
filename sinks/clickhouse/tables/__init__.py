"""The tables, one file each: definition, comments, and how output becomes their columns."""
