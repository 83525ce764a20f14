"""How a failure reads in Dagster: its reason in one line, and what to do about it."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

import dagster as dg

from tracking.errors import CostTrackingError, LedgerError
from warehouse.building.dbt import BuildError

WHAT_TO_DO = "what_to_do"
SHOWN = 5
"""Reasons named in a failure's line; the others are counted."""


@contextmanager
def explained() -> Generator[None, None, None]:
    """What the ledger or the build refuses fails the step with its own words. Trying again would change nothing."""
    try:
        yield
    except BuildError as error:
        raise failure(
            str(error), "The published reports are what they were. Mend what is named, then run `refresh`."
        ) from error
    except LedgerError as error:
        raise failure(
            str(error), "Run `llm-cost verify`; it names every file that is not as it was written."
        ) from error
    except CostTrackingError as error:
        raise failure(str(error), "Correct what is named, then run `refresh` again.") from error


def failure(reason: str, what_to_do: str) -> dg.Failure:
    return dg.Failure(reason, metadata={WHAT_TO_DO: dg.MetadataValue.md(what_to_do)}, allow_retries=False)


def listed(problems: Sequence[str]) -> str:
    """The first few in one line, and how many there are besides."""
    others = len(problems) - SHOWN
    return "; ".join(problems[:SHOWN]) + (f"; and {others:,} more" if others > 0 else "")
