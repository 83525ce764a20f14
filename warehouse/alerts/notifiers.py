"""The ways to tell of a breach. Each sends one alert once, and raises where it did not arrive."""

import hashlib
import hmac
import http.client
import json
import logging
import smtplib
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from typing import Protocol, assert_never

from warehouse.alerts.breaches import Breach, Severity
from warehouse.alerts.settings import (
    LogRecipient,
    Recipient,
    SlackRecipient,
    SmtpRecipient,
    WebhookRecipient,
    secret,
)

TIMEOUT = 10.0
"""Seconds for one attempt."""

TRANSIENT = frozenset({408, 425, 429})
"""HTTP statuses besides 5xx after which the same request may succeed."""

logger = logging.getLogger("llm_cost.alerts")


class DeliveryError(Exception):
    """An alert did not arrive. The text says why, without secrets; `transient` whether to try again."""

    def __init__(self, reason: str, *, transient: bool) -> None:
        super().__init__(reason)
        self.transient = transient


class Notifier(Protocol):
    """One way to tell of a breach."""

    def send(self, breach: Breach) -> None:
        """Tell of it.

        Raises:
            DeliveryError: it did not arrive.
        """
        ...


def notifier_for(recipient: Recipient) -> Notifier:
    """The notifier of one `[[notify]]` of alerts.toml.

    Raises:
        LedgerError: a variable it needs is not set.
    """
    match recipient:
        case LogRecipient():
            return LogNotifier()
        case WebhookRecipient():
            return WebhookNotifier(recipient.address(), secret(recipient.secret_env))
        case SlackRecipient():
            return SlackNotifier(recipient.address())
        case SmtpRecipient():
            return SmtpNotifier(recipient, secret(recipient.password_env) if recipient.password_env else None)
        case _:
            assert_never(recipient)


class LogNotifier:
    """A line in the log `llm_cost.alerts`."""

    def send(self, breach: Breach) -> None:
        level = logging.ERROR if breach.severity is Severity.ERROR else logging.WARNING
        logger.log(level, "%s (%s)", breach.title, breach.detail)


@dataclass(frozen=True, slots=True)
class WebhookNotifier:
    """A POST of JSON, signed: `X-LLM-Cost-Signature` is `v1=` and the HMAC-SHA-256, in hex, of timestamp, "." and body.

    Who receives it compares the signature, and refuses an `X-LLM-Cost-Timestamp` (seconds) that is long ago.
    """

    url: str
    key: str

    def send(self, breach: Breach) -> None:
        body = json.dumps(asdict(breach), ensure_ascii=False).encode()
        timestamp = f"{int(time.time())}"
        signature = hmac.new(self.key.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        _post(self.url, body, {"X-LLM-Cost-Timestamp": timestamp, "X-LLM-Cost-Signature": f"v1={signature}"})


@dataclass(frozen=True, slots=True)
class SlackNotifier:
    """A message to an incoming webhook of Slack, or of what speaks like it."""

    url: str

    def send(self, breach: Breach) -> None:
        mark = ":rotating_light:" if breach.severity is Severity.ERROR else ":warning:"
        text = f"{mark} *{_slack(breach.title)}*\n{_slack(breach.detail)}"
        _post(self.url, json.dumps({"text": text}, ensure_ascii=False).encode(), {})


@dataclass(frozen=True, slots=True)
class SmtpNotifier:
    """An e-mail to every recipient."""

    settings: SmtpRecipient
    password: str | None

    def send(self, breach: Breach) -> None:
        message = EmailMessage()
        message["From"] = self.settings.sender
        message["To"] = ", ".join(self.settings.recipients)
        message["Subject"] = f"[llm-cost {breach.severity}] {breach.title}"
        message.set_content(f"{breach.title}\n\n{breach.detail}\n")
        try:
            with smtplib.SMTP(self.settings.host, self.settings.port, timeout=TIMEOUT) as server:
                if self.settings.starttls:
                    server.starttls(context=ssl.create_default_context())
                if self.settings.username is not None and self.password is not None:
                    server.login(self.settings.username, self.password)
                server.send_message(message)
        except smtplib.SMTPResponseException as error:
            # 4xx asks to come again, 5xx does not.
            raise DeliveryError(f"SMTP status {error.smtp_code}", transient=error.smtp_code < 500) from error
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryError(type(error).__name__, transient=True) from error


def _post(url: str, body: bytes, headers: dict[str, str]) -> None:
    request = urllib.request.Request(  # noqa: S310
        url, body, {"Content-Type": "application/json; charset=utf-8", **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT):  # noqa: S310
            return
    except urllib.error.HTTPError as error:
        error.close()
        transient = error.code >= 500 or error.code in TRANSIENT
        raise DeliveryError(f"HTTP status {error.code}", transient=transient) from error
    except (OSError, http.client.HTTPException) as error:
        raise DeliveryError(type(error).__name__, transient=True) from error


def _slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
