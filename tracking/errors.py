"""What can go wrong while a call is being recorded."""

from collections.abc import Sequence


class CostTrackingError(Exception):
    """Base of every error this package raises itself."""


class ArgumentError(CostTrackingError, ValueError):
    """An argument is missing, blank or unusable; `argument` is its name."""

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument} {problem}")
        self.argument = argument


class ResponseError(CostTrackingError, ValueError):
    """A provider's answer has no usage, or not in a shape its provider sends."""


class UsageError(CostTrackingError, ValueError):
    """A count is negative, not a number, or contradicts another count; both are named."""


class UnknownModelError(CostTrackingError, LookupError):
    """No catalogue knows the model; `nearest` holds up to three known `provider/model` names."""

    def __init__(self, provider: str | None, model: str | None, nearest: Sequence[str] = ()) -> None:
        named = f"model {model!r}" if model else "an answer that names no model (pass model=…)"
        hint = f"; nearest known: {', '.join(nearest)}" if nearest else ""
        seller = f" of provider {provider!r}" if provider else ""
        super().__init__(f"no price is known for {named}{seller}{hint}")
        self.provider = provider
        self.model = model
        self.nearest = tuple(nearest)


class LedgerError(CostTrackingError):
    """The ledger's home or one of its files cannot be used as it is."""
