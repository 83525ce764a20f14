"""Each price ever used is copied once to `prices/<price_id>.json`, so that every row can be recomputed for ever."""

import json
from pathlib import Path

from tracking.durable_files import create_exclusively
from tracking.errors import LedgerError
from tracking.pricing.price import DISCOUNT, Price


class PriceFiles:
    """The `prices/` directory of one home."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._kept: set[str] = set()

    def keep(self, price: Price) -> None:
        """Put the price there unless it is there already.

        Raises:
            LedgerError: the disk refused it.
        """
        if price.price_id in self._kept:
            return
        path = self._directory / f"{price.price_id}.json"
        try:
            create_exclusively(path, json.dumps(price.entry(), indent=1, sort_keys=True).encode() + b"\n")
        except OSError as error:
            raise LedgerError(f"price {path} cannot be written: {error.strerror}") from error
        self._kept.add(price.price_id)

    def context(self, price_id: str | None) -> dict[str, str]:
        """What of the request chose a kept price among the model's; empty where the price is not known.

        A discount stands there too, and is no term that a request is served on.
        """
        try:
            entry = json.loads((self._directory / f"{price_id}.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return {term: value for term, value in entry["context"].items() if term != DISCOUNT}
