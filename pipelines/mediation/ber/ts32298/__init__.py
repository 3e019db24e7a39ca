"""Charging data records of 3GPP TS 32.298 v16 in BER, and the files of TS 32.297 around them.

The tables hold names, tags and kinds of values, written from the specification; what they leave out (management extensions,
positioning, multicast) is stepped over.
"""
