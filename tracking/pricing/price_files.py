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
        self._kept: dict[str, Price] = {}

    def keep(self, price: Price) -> None:
        """Put the price there unless it is there already.

        Raises:
            LedgerError: the disk refused it.
        """
        if price.price_id not in self._kept:
            self._write(price)
            self._kept[price.price_id] = price

    def keep_again(self) -> None:
        """Put every price there that this process has used: the folder may be another one since.

        Raises:
            LedgerError: the disk refused it.
        """
        for price in list(self._kept.values()):
            if not self._path(price).exists():
                self._write(price)

    def _path(self, price: Price) -> Path:
        return self._directory / f"{price.price_id}.json"

    def _write(self, price: Price) -> None:
        path = self._path(price)
        try:
            create_exclusively(path, json.dumps(price.entry(), indent=1, sort_keys=True).encode() + b"\n")
        except OSError as error:
            raise LedgerError(f"price {path} cannot be written: {error.strerror}") from error

    def context(self, price_id: str | None) -> dict[str, str]:
        """What of the request chose a kept price among the model's; empty where the price is not known.

        A discount stands there too, and is no term that a request is served on.
        """
        try:
            entry = json.loads((self._directory / f"{price_id}.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return {term: value for term, value in entry["context"].items() if term != DISCOUNT}
