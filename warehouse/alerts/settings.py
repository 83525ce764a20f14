"""`alerts.toml` in the home: who is told of breaches, and how. Secrets stand in environment variables."""

import os
import tomllib
from typing import Annotated, Any, Literal

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, ValidationError, model_validator

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.alerts.breaches import Severity

FILE = "alerts.toml"


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

    @classmethod
    def load(cls, home: Home) -> "AlertSettings":
        """Read the file.

        Raises:
            LedgerError: it cannot be read; the first field that is wrong is named, with its value.
        """
        path = home.root / FILE
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise LedgerError(f"{path} cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise LedgerError(f"{path} is not valid TOML: {error}") from error
        except ValidationError as error:
            raise LedgerError(f"{path}: {_first_problem(error)}") from None


def _first_problem(error: ValidationError) -> str:
    problem: Any = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    value = problem["input"]
    shown = "" if isinstance(value, dict | list) else f" is {value!r}"
    return f"{place}{shown}: {problem['msg']}"


def secret(variable: str) -> str:
    """The value of an environment variable.

    Raises:
        LedgerError: it is not set, or empty.
    """
    value = os.environ.get(variable)
    if not value:
        raise LedgerError(f"{FILE} names the environment variable {variable}, which is not set")
    return value
