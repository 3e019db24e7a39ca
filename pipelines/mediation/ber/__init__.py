"""Files in BER (ITU-T X.690): tags compiled from names, records cut and read in blocks."""
