"""NEM12 and NEM13, the meter data files of the Australian market."""
