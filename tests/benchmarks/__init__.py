"""Benchmarks: `make bench` runs all of them, `python -m tests.benchmarks NAME …` some.

One module a group, listed in `__main__.py`. A group is a `run()` that measures and shows. Nothing here is a
test, and no test asserts a time: what counts are ratios within one run, on one machine, in one process.
"""
