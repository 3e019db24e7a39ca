"""Refused records with some fields replaced: the bytes that their sender should have sent, of formats that are text."""
