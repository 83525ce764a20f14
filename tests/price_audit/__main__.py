"""`python -m tests.price_audit`: our prices at several instants beside those of genai-prices, LiteLLM and tokencost.

Only the data files of LiteLLM and tokencost are read, where they are installed. Prints who knows how many models of
each provider and by whom we price them; how many rates differ by more than a hundredth, at each instant; and of the
last one each of those, unless the supplement's file explains it: who is right, and why.
"""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from tests.price_audit.compare import Others, audit, report

MAPS = {
    "litellm": "litellm/model_prices_and_context_window_backup.json",
    "tokencost": "tokencost/model_prices.json",
}
"""The file of prices that each package ships."""

INSTANTS = (
    datetime(2025, 8, 15, 12, tzinfo=UTC),  # tokencost 0.1.26 is of that month
    datetime(2026, 3, 22, 12, tzinfo=UTC),  # LiteLLM 1.83.0 was out
    datetime(2026, 11, 26, 12, tzinfo=UTC),
)


def installed_maps() -> Iterable[Others]:
    for package, file in MAPS.items():
        try:
            found = distribution(package)
        except PackageNotFoundError:
            print(f"{package} is not installed", file=sys.stderr)
            continue
        yield Others.read(package, Path(str(found.locate_file(file))))


def main() -> None:
    print(report(audit([Others.genai_prices(), *installed_maps()], INSTANTS)))


if __name__ == "__main__":
    main()
