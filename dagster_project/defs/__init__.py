"""The assets, checks, job and schedule, one module for each part of the way a row travels."""
