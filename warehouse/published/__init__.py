"""The published warehouse as readers see it: queries, the proof that it sums to the ledger, exports."""
