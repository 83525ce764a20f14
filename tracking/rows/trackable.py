"""Who a call was for: turning an application's own objects into stable references."""

import re
import sys
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote
from uuid import UUID

from tracking.errors import ArgumentError
from tracking.values import plain_text, shown, text_problem, whole_number

MOST_BITS = 1024
"""Of a whole number that is an id."""

# Tuples, for on the record path a union would be put together at every call.
NOT_OBJECTS: tuple[type[Any], ...] = (bytes, int, float, dict, set, type, UUID)
PAIR = (tuple, list)
TEXT = (str, UUID)

GLOBAL_ID = re.compile(r"gid://[^/?#]+/(?P<type>[^/?#]+)/(?P<id>[^?#]+)(?:\?[^#]*)?")
"""Rails' name of an object, `gid://app/School::Assignment/42`: percent-encoded, a composite key's parts between
slashes, parameters behind `?` (https://github.com/rails/globalid, `lib/global_id/uri/gid.rb`)."""

CLASS_NAME = re.compile(r"[^\W\d]\w*(?:(?:\.|::)\w+)*")
"""The name of a class, with the modules before it."""

NOT_TYPE_AND_ID = "is not of the form Type:id, e.g. Assignment:42"


@dataclass(frozen=True, slots=True)
class TrackableRef:
    """A business object by type and id, as the ledger keeps it."""

    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.type}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> "TrackableRef":
        """`"Assignment:42"` or a Rails GlobalID (`"gid://app/Assignment/42"`) as a reference.

        An id may itself hold colons; one of several parts has commas between them.
        """
        return cls._parsed(text, "trackable")

    @classmethod
    def _parsed(cls, text: str, argument: str) -> "TrackableRef":
        if (named := _global_id(text, argument)) is not None:
            return named
        kind, separator, identity = text.partition(":")
        if not separator or not kind.strip() or not identity.strip():
            raise ArgumentError(argument, NOT_TYPE_AND_ID)
        return cls(kind, identity)

    @classmethod
    def of(cls, value: object, argument: str = "trackable") -> "TrackableRef":
        """Any business object as a reference: a reference, `("Assignment", 42)`, what `parse` takes, or an object.

        Django, SQLAlchemy, pydantic, dataclass, attrs and plain objects are taken by class name and primary key.

        Raises:
            ArgumentError: no type, or no id yet (an object that was not saved).
        """
        if isinstance(value, TrackableRef):
            return cls(_text(argument, value.type), identity_text(argument, value.id))
        if isinstance(value, PAIR):
            pair = cast("tuple[object, ...] | list[object]", value)
            if len(pair) != 2 or not isinstance(pair[0], str):
                raise ArgumentError(argument, 'is not a pair of type and id, e.g. ("Assignment", 42)')
            return cls(_text(argument, pair[0]), identity_text(argument, pair[1]))
        if isinstance(value, str):
            parsed = cls._parsed(plain_text(value), argument)
            # A prompt given by mistake has a colon soon enough, and would stand in every report.
            if not CLASS_NAME.fullmatch(parsed.type):
                raise ArgumentError(argument, NOT_TYPE_AND_ID)
            return cls(_text(argument, parsed.type), _text(argument, parsed.id))
        if isinstance(value, NOT_OBJECTS):
            raise ArgumentError(argument, f'is a {type(value).__name__}; give an object, or ("Assignment", 42)')
        return cls(_type_name(value), identity_text(argument, _identity(argument, value)))


def user_id_of(value: object, argument: str = "user") -> str:
    """A user's id: of an object with one, of a Rails GlobalID, or the id itself (text, whole number or UUID)."""
    if isinstance(value, str) and (named := _global_id(plain_text(value), argument)) is not None:
        return _text(argument, named.id)
    if isinstance(value, TEXT) or whole_number(value) is not None:
        return identity_text(argument, value)
    return identity_text(argument, _identity(argument, value))


def identity_text(argument: str, value: object) -> str:
    """An id as text. The value itself never appears in the error."""
    if isinstance(value, TEXT):
        return _text(argument, str(value))
    if (whole := whole_number(value)) is None:
        raise ArgumentError(
            argument, f"has an id of type {type(value).__name__}, expected text, a whole number or UUID"
        )
    if whole.bit_length() > MOST_BITS:
        raise ArgumentError(argument, f"has an id that is {shown(whole)}, more than {MOST_BITS:,}")
    return str(whole)


def id_text(value: object, argument: str) -> str:
    """`identity_text`, the value first, as its siblings have it."""
    return identity_text(argument, value)


def _global_id(text: str, argument: str) -> TrackableRef | None:
    """What a Rails GlobalID names; `None` where `text` is none."""
    if not text.startswith("gid://"):
        return None
    if (named := GLOBAL_ID.fullmatch(text)) is None:
        raise ArgumentError(argument, "is not of the form gid://app/Type/id, e.g. gid://app/Assignment/42")
    return TrackableRef(unquote(named["type"]), ",".join(map(unquote, named["id"].split("/"))))


def _text(argument: str, text: str) -> str:
    value = plain_text(text)
    if not value.strip():
        raise ArgumentError(argument, "is blank")
    if problem := text_problem(value):
        raise ArgumentError(argument, problem)
    return value


def _type_name(value: object) -> str:
    # Django's deferred and proxy classes keep the model's name in _meta, not in __name__.
    django_meta = getattr(type(value), "_meta", None)
    concrete = getattr(django_meta, "concrete_model", None) or type(value)
    return concrete.__name__


def _identity(argument: str, value: object) -> object:
    # SQLAlchemy first: an expired attribute would go back to the database, or fail where the session is closed.
    sqlalchemy: Any = sys.modules.get("sqlalchemy")
    state: Any = sqlalchemy.inspect(value, raiseerr=False) if sqlalchemy else None
    primary_key = getattr(state, "identity", None)
    if primary_key:
        return _joined(primary_key)
    for attribute in ("pk", "id"):
        identity = getattr(value, attribute, None)
        if type(identity) is tuple:  # a composite key of Django's, of nothing but `None` until it is saved
            identity = _joined(cast("tuple[object, ...]", identity))
        if identity is not None:
            return identity
    if hasattr(value, "id") or hasattr(value, "pk") or state is not None:
        raise ArgumentError(argument, f"is a {type(value).__name__} without an id: save it first")
    raise ArgumentError(argument, f"is a {type(value).__name__}, which has no id")


def _joined(parts: tuple[object, ...]) -> object:
    """A key of several columns as one id; `None` where one of them is not known yet."""
    if None in parts:
        return None
    return parts[0] if len(parts) == 1 else ",".join(map(str, parts))
