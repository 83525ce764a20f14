"""A mapping file: which column of a table says what of a call, and what every row says."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from tracking.usage import TOKEN_COUNTS
from warehouse.causes import first_problem
from warehouse.importing.calls import FIELDS, ImportFileError

ANSWER = frozenset({"id", "service_tier", "region", "finish_reason", "status", "cost_usd"})
"""What of an answer a column may say besides its counts. `cost_usd` is what the provider says the call cost."""
TRACKABLES = frozenset({"trackable", "trackable_parent"})
PARTS = frozenset(f"{name}_{part}" for name in TRACKABLES for part in ("type", "id"))
SAID = (FIELDS - {"response", "tags"}) | ANSWER | PARTS | frozenset(TOKEN_COUNTS)
PREFIXES = ("tags.", "units.")
"""`tags.<name>` is a tag; `units.<name>` counts another unit of the catalogue, such as `units.web_searches`."""


def _known(targets: dict[str, Any]) -> dict[str, Any]:
    for name in targets:
        if name not in SAID and not (name.startswith(PREFIXES) and name.partition(".")[2]):
            known = ", ".join(sorted(SAID))
            raise ValueError(f"{name!r} is nothing that is said of a call; known: {known}, tags.…, units.…")
    return targets


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"({name!r}) is no time zone, e.g. 'Europe/Berlin'") from None
    return name


class TableMapping(BaseModel):
    """`columns` and `values` go by what they say of a call; a cell that is empty leaves it to `values`.

    `time_zone` is that of times which name none; `time_unit` says that times are numbers since 1970 in UTC.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: Annotated[dict[str, str], Field(min_length=1), AfterValidator(_known)]
    values: Annotated[dict[str, str | int | Decimal], AfterValidator(_known)] = {}
    time_zone: Annotated[str, AfterValidator(_zone)] | None = None
    time_unit: Literal["seconds", "milliseconds", "microseconds"] | None = None

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> "TableMapping":
        said = {*self.columns, *self.values}
        for name in TRACKABLES:
            parts = said & {f"{name}_type", f"{name}_id"}
            if parts and (name in said or len(parts) == 1):
                raise ValueError(f"say {name}, or both {name}_type and {name}_id")
        return self


def read_mapping(path: Path) -> TableMapping:
    """Read a mapping file.

    Raises:
        ImportFileError: unreadable, or a field of it says nothing that can be meant; both are named.
    """
    try:
        return TableMapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal))
    except OSError as error:
        raise ImportFileError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise ImportFileError(f"{path}: {first_problem(error)}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ImportFileError(f"{path} is not TOML: {error}") from None
