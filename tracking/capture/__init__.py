"""Calls seen as they pass through a provider's own client, recorded without a line at the place they are made."""
