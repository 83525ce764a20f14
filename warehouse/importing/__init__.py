"""Calls that were made elsewhere, read from files: a protocol, and one module a format."""
