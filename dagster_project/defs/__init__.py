"""The assets, checks, job and schedule, one module for each stretch of the way a row travels."""
