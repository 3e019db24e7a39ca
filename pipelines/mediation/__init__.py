"""The decode stage: raw bytes in, CDR blocks out. Stateless: output is a function of the file and the tariff image."""
