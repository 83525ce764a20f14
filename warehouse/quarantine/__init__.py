"""Calls that were paid for and are in no report: what is kept of them, what became of them, replay and discard."""
