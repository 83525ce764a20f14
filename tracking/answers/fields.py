"""Fields of a provider's answer, read in place: of a dict, an SDK object or anything in between; nothing is dumped."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from types import FunctionType, ModuleType
from typing import Any, cast

Fields = Mapping[str, Any]

_readers: dict[type, Callable[[Any], Fields | None]] = {}
"""How objects of a class are read. One entry a class, and SDKs have few."""


def fields_of(value: Any) -> Fields | None:
    """The fields of `value` by name, for reading only; `None` where it has none (a text, a number, a list, …)."""
    kind: type[object] = value.__class__
    if kind is dict:
        return value
    reader = _readers.get(kind)
    if reader is None:
        reader = _readers[kind] = _reader_for(value)
    return reader(value)


def inside(value: object, *names: str) -> Any:
    """The value at a path of names, or `None`."""
    for name in names:
        fields = fields_of(value)
        value = None if fields is None else fields.get(name)
    return value


def listed(value: object) -> list[Any]:
    items: Any = value
    return items if isinstance(value, list) else []


def text_in(value: object) -> str | None:
    """`value` as plain text where it is one (SDKs have enumerations whose members are texts); else `None`."""
    if value is None or type(value) is str:
        return value or None
    if isinstance(value, Enum):
        value = cast(object, value.value)
    return value if isinstance(value, str) and value else None


def seen_in(answer: Fields) -> str:
    """The names of an answer's fields, and of those of what looks like its usage: names alone, which tell no text."""
    told = f"it has {_names_in(answer)}"
    for name in ("usage", "usageMetadata", "usage_metadata", "meta", "metrics"):
        if (inner := fields_of(answer.get(name))) is not None:
            told += f"; {name} has {_names_in(inner)}"
    return told


def _names_in(fields: Fields, most: int = 20) -> str:
    names = [name for name in map(str, fields) if re.fullmatch(r"[A-Za-z_][\w.-]{0,63}", name)]
    return ", ".join(names[:most]) + (", …" if len(names) > most else "") if names else "no fields"


def is_unset(value: object) -> bool:
    """Whether this is an SDK's mark for "not given" (`Unset`, `NotGiven`, `Omit`), which is no value."""
    return type(value).__name__ in ("Unset", "NotGiven", "Omit")


def _reader_for(value: object) -> Callable[[Any], Fields | None]:
    kind = type(value)
    if isinstance(value, Mapping):
        return _itself
    if isinstance(value, str | bytes | int | float | list | tuple | type | FunctionType | ModuleType) or value is None:
        return _nothing
    readers = {
        _pydantic_fields: hasattr(kind, "__pydantic_validator__") and hasattr(value, "__pydantic_extra__"),
        _protobuf_fields: hasattr(kind, "DESCRIPTOR") and hasattr(value, "ListFields"),
        _attributes: hasattr(value, "__dict__"),
        _slots: is_dataclass(kind),
    }
    return next((reader for reader, fits in readers.items() if fits), _nothing)


def _itself(value: Fields) -> Fields:
    return value


def _nothing(_: object) -> None:
    return None


def _attributes(value: Any) -> Fields:
    return value.__dict__


def _slots(value: Any) -> Fields:
    return {field.name: getattr(value, field.name, None) for field in fields(value)}


def _pydantic_fields(value: Any) -> Fields:
    """Declared fields and those the class does not know (a provider's additions, such as OpenRouter's cost)."""
    extra = value.__pydantic_extra__
    return {**extra, **value.__dict__} if extra else value.__dict__


def _protobuf_fields(message: Any) -> Fields:
    """All fields of a message; one that may be absent, and is, holds `None`, and enumerations go by name."""
    by_name: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value: Any = getattr(message, field.name)
        if field.has_presence and not message.HasField(field.name):
            value = None
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            items = list(cast("Sequence[Any]", value))
            value = items if field.enum_type is None else [_enum_name(field, number) for number in items]
        elif field.enum_type is not None:
            value = _enum_name(field, cast(int, value))
        by_name[field.name] = value
    return by_name


def _enum_name(field: Any, number: int) -> str:
    known = field.enum_type.values_by_number.get(number)
    return str(number) if known is None else known.name
