"""The spool of embedded mode: the claim journal is the log, claimed files are its content."""
