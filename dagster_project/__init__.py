"""Dagster over the ledger and the warehouse: it assembles what they do, and computes nothing itself."""
