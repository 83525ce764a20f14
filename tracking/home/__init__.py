"""The ledger's home on disk: where everything lies, and which group shares it."""

from tracking.home.paths import Home

__all__ = ["Home"]
