"""The row of the ledger: who and what a call was for, which event it was, and the record that is kept of it."""
