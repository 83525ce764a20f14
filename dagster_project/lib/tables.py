"""Tables inside metadata, every digit as it is."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import dagster as dg


def table(records: Sequence[Mapping[str, object]], columns: Sequence[str]) -> dg.TableMetadataValue:
    """A table of text, with these columns of each record."""
    return dg.MetadataValue.table(
        records=[dg.TableRecord({column: _text(record[column]) for column in columns}) for record in records],
        schema=dg.TableSchema(columns=[dg.TableColumn(column, "string") for column in columns]),
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
