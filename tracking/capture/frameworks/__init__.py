"""Frameworks and tracing that tell of calls themselves: a module for each, imported by whoever has its package."""
