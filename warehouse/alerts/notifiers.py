"""The ways to tell of a breach. Each sends one alert once, and raises where it did not arrive."""

import hashlib
import hmac
import json
import logging
import os
import smtplib
import socket
import ssl
import time
from dataclasses import asdict, dataclass, field
from email.message import EmailMessage
from functools import cache
from typing import Any, Protocol, assert_never

from warehouse.alerts.breaches import Breach, Severity
from warehouse.alerts.settings import (
    LogRecipient,
    Recipient,
    SlackRecipient,
    SmtpRecipient,
    WebhookRecipient,
    is_http_url,
    secret,
)
from warehouse.alerts.time_limit import Connections, OutOfTimeError, is_attempt, within

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

    def send(self, breach: Breach, seconds: float) -> None:
        """Tell of it, in so many seconds or not at all.

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

    def send(self, breach: Breach, seconds: float) -> None:
        level = logging.ERROR if breach.severity is Severity.ERROR else logging.WARNING
        logger.log(level, "%s (%s)", breach.title, breach.detail)


@dataclass(frozen=True, slots=True)
class WebhookNotifier:
    """A POST of JSON, signed: `X-LLM-Cost-Signature` is `v1=` and the HMAC-SHA-256, in hex, of timestamp, "." and body.

    Who receives it compares the signature, and refuses an `X-LLM-Cost-Timestamp` (seconds) that is long ago.
    """

    url: str = field(repr=False)
    key: str = field(repr=False)

    def send(self, breach: Breach, seconds: float) -> None:
        body = json.dumps(asdict(breach), ensure_ascii=False).encode()
        timestamp = f"{int(time.time())}"
        signature = hmac.new(os.fsencode(self.key), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {"X-LLM-Cost-Timestamp": timestamp, "X-LLM-Cost-Signature": f"v1={signature}"}
        _post(self.url, body, headers, seconds)


@dataclass(frozen=True, slots=True)
class SlackNotifier:
    """A message to an incoming webhook of Slack, or of what speaks like it."""

    url: str = field(repr=False)

    def send(self, breach: Breach, seconds: float) -> None:
        mark = ":rotating_light:" if breach.severity is Severity.ERROR else ":warning:"
        text = f"{mark} *{_slack(breach.title)}*\n{_slack(breach.detail)}"
        _post(self.url, json.dumps({"text": text}, ensure_ascii=False).encode(), {}, seconds)


@dataclass(frozen=True, slots=True)
class SmtpNotifier:
    """An e-mail to every recipient."""

    settings: SmtpRecipient
    password: str | None = field(repr=False)

    def send(self, breach: Breach, seconds: float) -> None:
        message = EmailMessage()
        if not all(map(str.isprintable, (self.settings.sender, *self.settings.recipients))):
            raise DeliveryError("its sender or recipients are no addresses of one line", transient=False)
        message["From"] = self.settings.sender
        message["To"] = ", ".join(self.settings.recipients)
        message["Subject"] = f"[llm-cost {breach.severity}] {breach.title}"
        message.set_content(f"{breach.title}\n\n{breach.detail}\n")
        try:
            within(seconds, lambda connections: self._send(message, seconds, connections))
        except OutOfTimeError:
            raise _out_of_time(seconds) from None
        except smtplib.SMTPResponseException as error:
            # 4xx asks to come again, 5xx does not. What the server says besides may quote what it was sent.
            raise DeliveryError(f"SMTP status {error.smtp_code}", transient=error.smtp_code < 500) from None
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryError(type(error).__name__, transient=True) from None

    def _send(self, message: EmailMessage, seconds: float, connections: Connections) -> None:
        with _WatchedSmtp(connections, self.settings.host, self.settings.port, timeout=seconds) as server:
            if self.settings.starttls:
                server.starttls(context=_trusted())
                if server.sock is not None:
                    connections.add(server.sock)
            if self.settings.username is not None and self.password is not None:
                server.login(self.settings.username, self.password)
            server.send_message(message)


class _WatchedSmtp(smtplib.SMTP):
    """Its connection can be cut: a server may take as long as it likes for each line it says, the first one too."""

    def __init__(self, connections: Connections, host: str, port: int, timeout: float) -> None:
        self._connections = connections
        super().__init__(host, port, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        opened = socket.create_connection((host, port), timeout)
        self._connections.add(opened)
        return opened


def _post(url: str, body: bytes, headers: dict[str, str], seconds: float) -> None:
    """POST to that address and no other. No error of it says what the URL or a header was."""
    import httpx

    if not is_http_url(url):
        raise DeliveryError("its URL is not an http or https URL", transient=False)
    # httpx logs the URL of every request, and that of an incoming webhook is a secret.
    logging.getLogger("httpx").addFilter(_not_ours)
    statuses: list[int] = []

    def post(connections: Connections) -> None:
        def watch(event: str, details: dict[str, Any]) -> None:
            if event.endswith(("connect_tcp.complete", "start_tls.complete")):
                connections.add(details["return_value"].get_extra_info("socket"))

        with (
            httpx.Client(verify=_trusted(), follow_redirects=False, timeout=seconds) as client,
            client.stream(
                "POST",
                url,
                content=body,
                headers={"Content-Type": "application/json; charset=utf-8", **headers},
                extensions={"trace": watch},
            ) as response,
        ):
            statuses.append(response.status_code)

    try:
        within(seconds, post)
    except OutOfTimeError:
        raise _out_of_time(seconds) from None
    except httpx.TransportError as error:
        raise DeliveryError(type(error).__name__, transient=True) from None
    [status] = statuses
    if not 200 <= status < 300:
        redirect = ", a redirect, which is not followed" if 300 <= status < 400 else ""
        raise DeliveryError(f"HTTP status {status}{redirect}", transient=status >= 500 or status in TRANSIENT)


@cache
def _trusted() -> ssl.SSLContext:
    """The system's certificates, as everything else on the machine trusts them; httpx brings its own."""
    return ssl.create_default_context()


def _not_ours(_: logging.LogRecord) -> bool:
    return not is_attempt()


def _out_of_time(seconds: float) -> DeliveryError:
    return DeliveryError(f"not done within {seconds:.3g} seconds", transient=True)


def _slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
