"""Fuzzing guided by coverage: whatever comes in at a door, what is promised of that door holds.

`make fuzz MINUTES=30` divides the time between the targets; what breaks a promise is kept in `.fuzz/findings/`, and
becomes an ordinary test once it is mended. Every promise is also tried on `corpus/` by `test_fuzz_corpus.py`.
"""
