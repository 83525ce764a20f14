"""The sealed ledger on disk: segments, the manifest that says which are live, and how they are rewritten."""
