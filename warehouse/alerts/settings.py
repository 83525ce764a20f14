"""`alerts.toml` in the home: who is told of breaches, and how. Secrets stand in environment variables."""

import os
import re
import tomllib
from collections import Counter
from typing import Annotated, Literal

from pydantic import (
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.alerts.breaches import Severity
from warehouse.causes import first_problem

HTTP_URL = TypeAdapter(AnyHttpUrl)
SHOWN = frozenset({"to", "minimum", "name", "host", "sender"})
"""The fields whose text an error may show, unless it may be a URL. Any other may be a secret, or in the wrong place."""
VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


class _Recipient(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str | None = None
    """What reports call it; by default its place in the file."""
    minimum: Severity = Severity.WARN
    """The least severity it is told of."""


class LogRecipient(_Recipient):
    to: Literal["log"]


class _HttpRecipient(_Recipient):
    url: AnyHttpUrl | None = None
    url_env: str | None = None
    """The variable that holds the URL, where it is a secret itself."""

    @model_validator(mode="after")
    def _one_url(self) -> "_HttpRecipient":
        if (self.url is None) == (self.url_env is None):
            raise ValueError("give either url or url_env")
        return self

    def address(self) -> str:
        """The URL.

        Raises:
            LedgerError: the variable is not set.
        """
        return secret(self.url_env) if self.url_env else str(self.url)


class WebhookRecipient(_HttpRecipient):
    to: Literal["webhook"]
    secret_env: str
    """The variable that holds the key each body is signed with."""


class SlackRecipient(_HttpRecipient):
    to: Literal["slack"]


class SmtpRecipient(_Recipient):
    to: Literal["smtp"]
    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    starttls: bool = True
    username: str | None = None
    password_env: str | None = None
    sender: str
    recipients: Annotated[list[str], Field(min_length=1)]


Recipient = Annotated[LogRecipient | WebhookRecipient | SlackRecipient | SmtpRecipient, Field(discriminator="to")]


class AlertSettings(BaseModel):
    """What `alerts.toml` says; without the file nobody is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    notify: list[Recipient] = Field(default_factory=list[Recipient])

    @field_validator("notify")
    @classmethod
    def _names_apart(cls, notify: list[Recipient]) -> list[Recipient]:
        # What was told is remembered by name: two of one name would be told each breach between them.
        names = Counter(recipient_name(number, recipient) for number, recipient in enumerate(notify, 1))
        for name, count in names.items():
            if count > 1:
                raise ValueError(f"{count} recipients have the name {name!r}")
        return notify

    @classmethod
    def load(cls, home: Home) -> "AlertSettings":
        """Read the file.

        Raises:
            LedgerError: it cannot be read; the first field that is wrong is named, with its value.
        """
        path = home.alerts_toml
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise LedgerError(f"{path} cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise LedgerError(f"{path} is not valid TOML: {error}") from error
        except ValidationError as error:
            raise LedgerError(f"{path}: {first_problem(error, _shown)}") from None


def recipient_name(number: int, recipient: Recipient) -> str:
    """What the `number`th recipient of the file is called."""
    return recipient.name or f"{recipient.to} {number}"


def is_http_url(text: str) -> bool:
    try:
        HTTP_URL.validate_python(text)
    except ValidationError:
        return False
    return True


def _shown(field: object, value: object) -> str:
    """The value as an error may show it: never a secret, nor what may be one."""
    if field == "url" and isinstance(value, str):
        return _foreign_scheme(value)
    if isinstance(value, bool | int | float) or (isinstance(value, str) and field in SHOWN and "/" not in value):
        return f" is {value!r}"
    return ""


def _foreign_scheme(url: str) -> str:
    """The scheme and host of what is a URL, but not of http; not what follows them."""
    match = re.match(r"(?!https?:)[a-z][a-z0-9+.-]*://(?:[A-Za-z0-9.-]*(?=/|$))?", url)
    if match is None:
        return ""
    return f" is {match[0] if match[0] == url else match[0] + '…'!r}"


def secret(variable: str) -> str:
    """The value of an environment variable.

    Raises:
        LedgerError: it is not set, or empty.
    """
    try:
        value = os.environ.get(variable)
    except ValueError:  # no variable can have that name
        value = None
    if not value:
        # What does not look like the name of a variable may be the secret itself.
        name = f" {variable}" if VARIABLE.fullmatch(variable) else ""
        raise LedgerError(f"alerts.toml names the environment variable{name}, which is not set")
    return value
