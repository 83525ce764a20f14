"""What can go wrong while a call is being recorded."""

from collections.abc import Mapping, Sequence


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


class RefusedCallsError(CostTrackingError):
    """Some of many calls were refused; the others are recorded.

    `errors` says why, by the call's place in what was given; `records` holds the rows, `None` where refused.
    """

    def __init__(self, errors: Mapping[int, Exception], records: Sequence[object], kept: object) -> None:
        place, first = next(iter(errors.items()))
        refused = f"{len(errors)} of {len(records)} calls were refused and kept in {kept}"
        super().__init__(f"{refused}; the first is number {place}, counted from 0: {first}")
        self.errors = dict(errors)
        self.records = list(records)


class LedgerError(CostTrackingError):
    """The ledger's home or one of its files cannot be used as it is."""
