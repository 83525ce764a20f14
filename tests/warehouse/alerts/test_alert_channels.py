"""What a server, a URL or a name may be without a secret going astray, or another recipient going without."""

import json
import logging
import threading
import time
from pathlib import Path

import pytest
from alert_servers import http_server, smtp_server, trickling_server
from typer.testing import CliRunner

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.alerts.breaches import Breach, BreachKind, Severity
from warehouse.alerts.delivery import Backoff, DeliveryReport, deliver
from warehouse.alerts.notifiers import SlackNotifier, WebhookNotifier
from warehouse.alerts.settings import AlertSettings
from warehouse.cli import app

ONCE = Backoff(attempts=1)
SECRET = "T024/B057/xyzzy-plugh"
OVER = Breach("budget:history", BreachKind.BUDGET, Severity.ERROR, "budget history is over", "month")
NEAR = Breach("budget:maths", BreachKind.BUDGET, Severity.WARN, "budget maths is at 80%", "month")


@pytest.fixture
def ledger(home: Path) -> Home:
    ledger = Home(home)
    ledger.open()
    return ledger


def configure(home: Home, *recipients: str) -> None:
    (home.root / "alerts.toml").write_text("\n".join(f"[[notify]]\n{recipient}" for recipient in recipients))


def problems(report: DeliveryReport) -> list[str | None]:
    return [delivery.problem for delivery in report.failed]


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_a_failure_and_nothing_reaches_where_it_points_to(
    ledger: Home, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("WEBHOOK_KEY", "a key")
    with http_server() as (url, received), http_server() as (elsewhere, reached):
        received.answers, received.location = [status] * 2, elsewhere
        configure(
            ledger,
            f'to = "webhook"\nurl = "{url}"\nsecret_env = "WEBHOOK_KEY"',
            f'to = "slack"\nurl = "{url}"',
        )
        report = deliver(ledger, [OVER], backoff=ONCE)
    assert problems(report) == [f"HTTP status {status}, a redirect, which is not followed"] * 2
    assert len(received.requests) == 2
    assert reached.requests == []


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_what_a_server_accepts_is_delivered(ledger: Home, status: int) -> None:
    with http_server() as (url, received):
        received.answers = [status]
        configure(ledger, f'to = "slack"\nurl = "{url}"')
        assert len(deliver(ledger, [OVER], backoff=ONCE).sent) == 1


@pytest.mark.parametrize(
    "url",
    [
        f"hooks.slack.com/services/{SECRET}",
        f"//hooks.slack.com/services/{SECRET}",
        f"file:///etc/{SECRET}",
        f"file:{SECRET}",
        f"ftp://hooks.slack.com/services/{SECRET}",
        f"http://hooks.slack.com:port/{SECRET}",
        f"http:// hooks/{SECRET}",
        f"http://[::1/{SECRET}",
        f"https://xn--{SECRET}\n",
        f"http://{'a' * 70}.example.org/{SECRET}",
        f"http://127.0.0.1:1/{SECRET}",
        f"http://user:{SECRET}@127.0.0.1:1/",
        f"{SECRET}\udcff",
    ],
)
def test_no_url_that_fails_is_told_and_the_next_recipient_is(
    ledger: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    monkeypatch.setenv("WEBHOOK_KEY", "a key")
    monkeypatch.setenv("HOOK", url)
    with http_server() as (well, received):
        configure(
            ledger,
            'to = "webhook"\nurl_env = "HOOK"\nsecret_env = "WEBHOOK_KEY"',
            'to = "slack"\nurl_env = "HOOK"',
            f'to = "slack"\nurl = "{well}"',
        )
        with caplog.at_level(logging.DEBUG):
            report = deliver(ledger, [OVER], backoff=ONCE)
    assert [delivery.recipient for delivery in report.failed] == ["webhook 1", "slack 2"]
    assert [delivery.recipient for delivery in report.sent] == ["slack 3"]
    assert len(received.requests) == 1
    assert all(delivery.problem for delivery in report.failed)
    assert "xyzzy" not in repr(report) + caplog.text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"hooks.slack.com/{SECRET}", "notify.0.slack.url: "),
        (f"file:{SECRET}", "notify.0.slack.url: "),
        (f"file:///{SECRET}", "notify.0.slack.url is 'file://…'"),
        (f"ftp://user:{SECRET}@example.org", "notify.0.slack.url is 'ftp://…'"),
        (f"http://example.org:{SECRET}", "notify.0.slack.url: "),
        (f"ftp://{SECRET.rpartition('/')[2]}@example.org", "notify.0.slack.url is 'ftp://…'"),
        (f"{SECRET}://example.org", "notify.0.slack.url: "),
    ],
)
def test_a_url_that_is_none_of_http_is_refused_at_load_without_its_secret(ledger: Home, url: str, shown: str) -> None:
    configure(ledger, f'to = "slack"\nurl = "{url}"')
    with pytest.raises(LedgerError) as caught:
        AlertSettings.load(ledger)
    assert f"alerts.toml: {shown}" in str(caught.value)
    assert "xyzzy" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        f'to = "https://hooks.example/{SECRET}"',
        f'to = "log"\n"https://hooks.example/{SECRET}" = 1',
        f'to = "smtp"\nhost = "https://mail.example/{SECRET}"\nport = "x"',
        f'to = "webhook"\nurl = "https://example.org"\nsecret = "{SECRET}"',
        f'to = "webhook"\nurl = "https://example.org"\nsecret_env = ["{SECRET}"]',
        f'to = "smtp"\nhost = "h"\nsender = "a@b"\nrecipients = ["c@d"]\npassword = "{SECRET}"',
        f'to = "slack"\nurl = "https://example.org"\nurl_env = "{SECRET}"',
        f'to = "slack"\nurl = "https://example.org/{SECRET}',
    ],
)
def test_a_secret_in_the_wrong_place_of_the_file_is_not_told(ledger: Home, content: str) -> None:
    configure(ledger, content)
    with pytest.raises(LedgerError) as caught:
        AlertSettings.load(ledger)
    assert "xyzzy" not in str(caught.value)


@pytest.mark.parametrize("value", [SECRET, f"{SECRET}\\u0000"])
def test_a_secret_in_place_of_the_variable_that_holds_it_is_not_told(ledger: Home, value: str) -> None:
    configure(ledger, f'to = "webhook"\nurl = "https://example.org"\nsecret_env = "{value}"')
    with pytest.raises(LedgerError, match="which is not set") as caught:
        deliver(ledger, [OVER])
    assert "xyzzy" not in str(caught.value)


def test_secrets_are_in_no_log_and_in_no_representation(
    ledger: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with http_server() as (url, received), caplog.at_level(logging.DEBUG):
        monkeypatch.setenv("HOOK", f"{url}/{SECRET}")
        configure(ledger, 'to = "slack"\nurl_env = "HOOK"')
        assert len(deliver(ledger, [OVER], backoff=ONCE).sent) == 1
    assert len(received.requests) == 1
    assert "xyzzy" not in caplog.text
    assert "xyzzy" not in f"{SlackNotifier(SECRET)} {WebhookNotifier(SECRET, SECRET)}"


@pytest.mark.parametrize("name", ["history\r\nBcc: all@example.org", "history\n", "his\x1b[2Jtory", "his\u2028tory"])
def test_a_name_with_line_breaks_is_one_line_to_everybody(
    ledger: Home, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    breach = Breach("k", BreachKind.BUDGET, Severity.ERROR, f"budget {name} is over", name)
    with smtp_server() as (port, mails), http_server() as (url, received):
        configure(
            ledger,
            f'to = "smtp"\nhost = "127.0.0.1"\nport = {port}\nstarttls = false\n'
            'sender = "ledger@example.org"\nrecipients = ["a@example.org"]',
            'to = "log"',
            f'to = "slack"\nurl = "{url}"',
        )
        report = deliver(ledger, [breach], backoff=ONCE)
    assert (len(report.sent), report.failed) == (3, [])
    headers = mails[0].partition(b"\r\n\r\n")[0]
    assert [line.partition(b":")[0] for line in headers.splitlines()[:3]] == [b"From", b"To", b"Subject"]
    assert b"\nBcc" not in headers
    [logged] = [record.getMessage() for record in caplog.records if record.name == "llm_cost.alerts"]
    assert logged.isprintable()
    assert json.loads(received.requests[0][1])["text"].count("\n") == 1


@pytest.mark.parametrize(
    "addresses",
    [
        'sender = "a@example.org\\nBcc: b"\nrecipients = ["a@example.org"]',
        'sender = "a@example.org"\nrecipients = ["a@example.org\\r\\n"]',
    ],
)
def test_an_address_with_line_breaks_fails_alone(ledger: Home, addresses: str) -> None:
    with smtp_server() as (port, mails):
        mail = f'to = "smtp"\nhost = "127.0.0.1"\nport = {port}\nstarttls = false\n'
        well = 'sender = "l@example.org"\nrecipients = ["a@example.org"]'
        configure(ledger, mail + addresses, mail + well)
        report = deliver(ledger, [OVER], backoff=ONCE)
    assert problems(report) == ["its sender or recipients are no addresses of one line"]
    assert [delivery.recipient for delivery in report.sent] == ["smtp 2"]
    assert len(mails) == 1


def test_an_error_that_nobody_foresaw_stops_no_other_recipient(ledger: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def send(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(WebhookNotifier, "send", send)
    monkeypatch.setenv("WEBHOOK_KEY", "a key")
    with http_server() as (url, received):
        configure(ledger, f'to = "webhook"\nurl = "{url}"\nsecret_env = "WEBHOOK_KEY"', f'to = "slack"\nurl = "{url}"')
        report = deliver(ledger, [OVER, NEAR], backoff=ONCE)
    assert problems(report) == ["RuntimeError"] * 2
    assert len(report.sent) == len(received.requests) == 2


@pytest.mark.parametrize(
    ("start", "recipient"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", 'to = "slack"\nurl = "http://127.0.0.1:{port}/"'),
        (
            b"220 slow",
            'to = "smtp"\nhost = "127.0.0.1"\nport = {port}\nsender = "l@example.org"\nrecipients = ["a@example.org"]',
        ),
    ],
)
def test_a_server_that_trickles_has_the_limit_in_all_and_is_let_go_of(
    ledger: Home, start: bytes, recipient: str
) -> None:
    """Whatever number of attempts and breaches: the second recipient waits for the limit, once."""
    limited = Backoff(attempts=4, seconds=0.1, limit=1)
    with trickling_server(start) as (port, left), http_server() as (url, _):
        configure(ledger, recipient.format(port=port), f'to = "slack"\nurl = "{url}"\nname = "well"')
        began = time.monotonic()
        report = deliver(ledger, [OVER, NEAR], backoff=limited)
        took = time.monotonic() - began
        assert left.wait(10)
    assert [delivery.recipient for delivery in report.sent] == ["well", "well"]
    assert problems(report) == ["not done within 1 seconds, 1 time"] * 2
    assert took < 1 + 4  # of many seconds for each letter, were there no limit for all of them
    assert not [thread for thread in threading.enumerate() if thread.name == "llm-cost-alert" and _still_alive(thread)]


def _still_alive(thread: threading.Thread) -> bool:
    thread.join(10)
    return thread.is_alive()


def test_a_body_without_end_is_not_waited_for(ledger: Home) -> None:
    with trickling_server(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n") as (port, left):
        configure(ledger, f'to = "slack"\nurl = "http://127.0.0.1:{port}/"')
        assert len(deliver(ledger, [OVER], backoff=ONCE).sent) == 1
        assert left.wait(10)


def test_two_recipients_of_one_name_are_refused(ledger: Home) -> None:
    configure(ledger, 'to = "log"', 'to = "log"\nname = "log 1"')
    with pytest.raises(LedgerError, match=r"notify: .*2 recipients have the name 'log 1'"):
        AlertSettings.load(ledger)


@pytest.mark.parametrize("content", ["[]", '{"sent": []}', '{"sent": {"a": 1}}', "{}", "{", '{"sent": {"a": "'])
def test_a_memory_that_alerts_did_not_write_is_named(ledger: Home, content: str) -> None:
    configure(ledger, 'to = "log"')
    (ledger.root / "alerts_sent.json").write_text(content)
    with pytest.raises(LedgerError, match=r"alerts_sent\.json is not what alerts wrote"):
        deliver(ledger, [OVER])


def test_the_command_says_who_was_not_told_and_no_secret(ledger: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    with duckdb.connect(ledger.warehouse_database) as connection:
        connection.execute(
            "create table budget_status as select 'history' as budget_name, 'month' as period, "
            "date '2026-11-01' as period_start, date '2026-11-30' as period_end, date '2026-11-20' as status_date, "
            "'over' as status, 80 as warn_percent, 100::decimal(38,12) as limit_usd, 120::decimal(38,12) as spent_usd, "
            "null::date as forecast_crossing_on"
        )
    monkeypatch.setenv("HOOK", f"hooks.slack.com/{SECRET}")
    configure(ledger, 'to = "slack"\nurl_env = "HOOK"', 'to = "log"')
    told = CliRunner().invoke(app, ["alerts", "--send", "--home", str(ledger.root)])
    assert told.exit_code == 1
    assert (
        "slack 1 was not told of budget:history:2026-11-01:over:80: its URL is not an http or https URL" in told.output
    )
    assert "Told 1 alerts" in told.output
    assert "xyzzy" not in told.output
