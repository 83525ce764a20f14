"""Alerts against real servers: what arrives, how often, and what happens when it does not."""

import hashlib
import hmac
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from pathlib import Path

import duckdb
import pytest
from alert_servers import http_server, smtp_server
from typer.testing import CliRunner

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.alerts.breaches import Breach, BreachKind, Severity, find_breaches
from warehouse.alerts.delivery import Backoff, deliver, send_alerts, undelivered
from warehouse.alerts.settings import AlertSettings
from warehouse.cli import app

QUICK = Backoff(attempts=3, seconds=0.01)
USER = "user-4711"
OVER = Breach("budget:history:2026-11-01:over:", BreachKind.BUDGET, Severity.ERROR, "budget history is over", "month")
NEAR = Breach("budget:maths:2026-11-01:warn:80", BreachKind.BUDGET, Severity.WARN, "budget maths is at 80%", "month")


@pytest.fixture
def ledger(home: Path) -> Home:
    ledger = Home(home)
    ledger.open()
    return ledger


@pytest.fixture
def published(ledger: Home) -> Home:
    """A home whose published reports hold a breach of each kind, and beside each what is none."""
    with duckdb.connect(ledger.warehouse_database) as connection:
        connection.execute(
            f"""
            create table cost_per_day as select date '2026-11-20' as reporting_date;
            create table budget_status as
            select * from (values
                ('history', 'month', date '2026-11-01', date '2026-11-30', date '2026-11-20', 'over', 80,
                    100::decimal(38,12), 120.5::decimal(38,12), null::date),
                ('maths', 'month', date '2026-11-01', date '2026-11-30', date '2026-11-20', 'warn', 80,
                    100, 83, date '2026-11-27'),
                ('music', 'month', date '2026-11-01', date '2026-11-30', date '2026-11-20', 'ok', null, 100, 3, null),
                ('long ago', 'month', date '2025-11-01', date '2025-11-30', date '2026-11-20', 'over', 80, 1, 2, null)
            ) as t (budget_name, period, period_start, period_end, status_date, status, warn_percent, limit_usd,
                spent_usd, forecast_crossing_on);
            create table cost_anomalies as
            select * from (values
                (date '2026-11-19', 'user', '{USER}', 4.25::decimal(38,12), 0.3::double, 5.0::double, 'volume'),
                (date '2026-11-19', 'assignment', '42', 7, 0.5, 6.0, 'mix'),
                (date '2026-11-19', 'model', 'gpt-5', 0.1, 9, -6.0, 'volume'),
                (date '2026-10-01', 'model', 'gpt-5', 9, 0.1, 6.0, 'volume')
            ) as t (reporting_date, entity_type, entity_id, cost_usd, expected_usd, score, driver);
            create table invoice_reconciliation as
            select * from (values
                ('openai', date '2026-10-01', 100::decimal(38,12), 3.2::decimal(38,12)),
                ('openai', date '2026-10-01', 50, -0.2),
                ('anthropic', date '2026-10-01', 100, 0.5)
            ) as t (provider, usage_month, invoiced_usd, residual_usd)
            """
        )
    return ledger


def configure(home: Home, *recipients: str) -> None:
    (home.root / "alerts.toml").write_text("\n".join(f"[[notify]]\n{recipient}" for recipient in recipients))


def test_budgets_unusual_costs_and_invoices_are_breaches(published: Home) -> None:
    found = [(breach.kind.value, breach.severity.value, breach.title) for breach in find_breaches(published)]
    assert found == [
        ("budget", "error", "budget history is over its limit: $120.50 of $100.00"),
        ("budget", "warn", "budget maths is at 80% of its limit or more: $83.00 of $100.00"),
        ("anomaly", "warn", "assignment 42 cost $7.00 on 2026-11-19, usually about $0.50"),
        ("anomaly", "warn", "a user cost $4.25 on 2026-11-19, usually about $0.30"),
        ("invoice", "warn", "openai billed $3.00 more than the ledger for 2026-10-01"),
    ]


def test_no_alert_and_no_memory_of_one_names_a_user(published: Home) -> None:
    configure(published, 'to = "log"')
    report = send_alerts(published)
    assert len(report.sent) == 5
    assert USER not in repr(report)
    assert USER.encode() not in (published.root / "alerts_sent.json").read_bytes()


def test_nothing_is_a_breach_before_the_first_build_or_without_those_reports(ledger: Home) -> None:
    assert find_breaches(ledger) == []
    duckdb.connect(ledger.warehouse_database).close()
    assert find_breaches(ledger) == []


def test_a_webhook_gets_each_breach_once_and_can_prove_who_sent_it(
    published: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_KEY", "a key")
    with http_server() as (url, received):
        configure(published, f'to = "webhook"\nurl = "{url}"\nsecret_env = "WEBHOOK_KEY"\nname = "ops"')
        first, second = send_alerts(published, backoff=QUICK), send_alerts(published, backoff=QUICK)
    assert [len(first.sent), len(second.sent), second.known] == [5, 0, 5]
    assert len(received.requests) == 5
    headers, body = received.requests[0]
    signed = headers["X-LLM-Cost-Timestamp"].encode() + b"." + body
    assert headers["X-LLM-Cost-Signature"] == f"v1={hmac.new(b'a key', signed, hashlib.sha256).hexdigest()}"
    assert json.loads(body) == {
        "key": "budget:history:2026-11-01:over:80",
        "kind": "budget",
        "severity": "error",
        "title": "budget history is over its limit: $120.50 of $100.00",
        "detail": "month from 2026-11-01 to 2026-11-30",
    }


def test_a_budget_that_gets_worse_is_told_again(published: Home) -> None:
    configure(published, 'to = "log"')
    send_alerts(published)
    with duckdb.connect(published.warehouse_database) as connection:
        connection.execute("update budget_status set status = 'over', spent_usd = 101 where budget_name = 'maths'")
    assert [delivery.breach.title for delivery in send_alerts(published).sent] == [
        "budget maths is over its limit: $101.00 of $100.00"
    ]


def test_a_server_that_is_busy_is_tried_again(ledger: Home) -> None:
    with http_server() as (url, received):
        received.answers = [503, 429]
        configure(ledger, f'to = "slack"\nurl = "{url}"')
        report = deliver(ledger, [OVER], backoff=QUICK)
    assert len(report.sent) == 1
    assert len(received.requests) == 3
    assert json.loads(received.requests[2][1])["text"] == ":rotating_light: *budget history is over*\nmonth"


def test_what_did_not_arrive_is_told_the_next_time_and_holds_up_nobody_else(ledger: Home) -> None:
    with http_server() as (broken, refused), http_server() as (url, received):
        refused.answers = [503] * 3 + [404]
        configure(ledger, f'to = "slack"\nurl = "{broken}"\nname = "broken"', f'to = "slack"\nurl = "{url}"')
        first = deliver(ledger, [OVER], backoff=QUICK)
        assert [(delivery.recipient, delivery.problem) for delivery in first.failed] == [
            ("broken", "HTTP status 503, 3 times")
        ]
        assert [delivery.recipient for delivery in first.sent] == ["slack 2"]
        # What will not get better is not tried again at once.
        assert [delivery.problem for delivery in deliver(ledger, [OVER], backoff=QUICK).failed] == ["HTTP status 404"]
        assert len(refused.requests) == 4
        last = deliver(ledger, [OVER], backoff=QUICK)
    assert [delivery.recipient for delivery in last.sent] == ["broken"]
    assert len(received.requests) == 1


def test_an_unreachable_server_is_a_failure_in_words(ledger: Home) -> None:
    with http_server() as (url, _):
        pass
    configure(ledger, f'to = "slack"\nurl = "{url}"')
    [failed] = deliver(ledger, [OVER], backoff=Backoff(attempts=1)).failed
    assert failed.problem == "ConnectError, 1 time"


def test_slack_is_sent_text_and_not_markup(ledger: Home) -> None:
    breach = Breach("k", BreachKind.BUDGET, Severity.WARN, "budget <!channel> & co", "x")
    with http_server() as (url, received):
        configure(ledger, f'to = "slack"\nurl = "{url}"')
        deliver(ledger, [breach], backoff=QUICK)
    assert "*budget &lt;!channel&gt; &amp; co*" in json.loads(received.requests[0][1])["text"]


def test_mail_reaches_every_recipient(ledger: Home) -> None:
    breach = Breach("k", BreachKind.BUDGET, Severity.ERROR, "budget Frühling is over", "spent")
    with smtp_server() as (port, mails):
        to = 'sender = "ledger@example.org"\nrecipients = ["a@example.org", "b@example.org"]'
        configure(ledger, f'to = "smtp"\nhost = "127.0.0.1"\nport = {port}\nstarttls = false\n{to}')
        assert len(deliver(ledger, [breach], backoff=QUICK).sent) == 1
    message = message_from_bytes(mails[0])
    assert message["To"] == "a@example.org, b@example.org"
    assert "budget Frühling is over" in message.get_payload(decode=True).decode()  # type: ignore[union-attr]


@pytest.mark.parametrize(("status", "problem"), [("550", "SMTP status 550"), ("451", "SMTP status 451, 3 times")])
def test_a_refused_mail_is_tried_again_only_where_the_server_asks_for_it(
    ledger: Home, status: str, problem: str
) -> None:
    with smtp_server(refuse_with=status) as (port, _):
        to = f'port = {port}\nstarttls = false\nsender = "l@example.org"\nrecipients = ["a@example.org"]'
        configure(ledger, f'to = "smtp"\nhost = "127.0.0.1"\n{to}')
        [failed] = deliver(ledger, [OVER], backoff=QUICK).failed
    assert failed.problem == problem


def test_who_asks_for_errors_is_not_told_of_warnings(ledger: Home, caplog: pytest.LogCaptureFixture) -> None:
    configure(ledger, 'to = "log"\nminimum = "error"')
    with caplog.at_level(logging.WARNING, "llm_cost.alerts"):
        deliver(ledger, [OVER, NEAR])
    assert [record.getMessage() for record in caplog.records] == ["budget history is over (month)"]


def test_two_senders_at_once_tell_each_breach_once(published: Home) -> None:
    with http_server() as (url, received):
        configure(published, f'to = "slack"\nurl = "{url}"')
        with ThreadPoolExecutor(4) as pool:
            reports = list(pool.map(lambda _: send_alerts(published, backoff=QUICK), range(4)))
    assert len(received.requests) == 5
    assert sorted(len(report.sent) for report in reports) == [0, 0, 0, 5]
    assert undelivered(published) == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('to = "pigeon"', "'pigeon'"),
        ('to = "slack"\nurl = "ftp://example.org"', "notify.0.slack.url is 'ftp://example.org'"),
        ('to = "slack"', "give either url or url_env"),
        ('to = "log"\nvolume = 11', "notify.0.log.volume is 11"),
        ('to = "smtp"\nhost = "h"\nsender = "a@b"\nrecipients = []', "notify.0.smtp.recipients"),
        ("to = ", "not valid TOML"),
    ],
)
def test_a_malformed_file_is_refused_with_the_field_and_its_value(ledger: Home, content: str, problem: str) -> None:
    configure(ledger, content)
    with pytest.raises(LedgerError) as caught:
        AlertSettings.load(ledger)
    assert problem in str(caught.value)


def test_a_secret_that_is_not_set_is_named_before_anything_is_sent(published: Home) -> None:
    with http_server() as (url, received):
        configure(
            published, f'to = "slack"\nurl = "{url}"', f'to = "webhook"\nurl = "{url}"\nsecret_env = "NO_SUCH_SECRET"'
        )
        with pytest.raises(LedgerError, match="NO_SUCH_SECRET"):
            send_alerts(published)
    assert received.requests == []


def test_the_command_shows_breaches_sends_them_and_fails_where_one_did_not_arrive(published: Home) -> None:
    run = CliRunner().invoke
    shown = run(app, ["alerts", "--home", str(published.root)])
    assert (shown.exit_code, "budget history is over" in shown.stdout) == (0, True)
    nobody = run(app, ["alerts", "--send", "--home", str(published.root)])
    assert "names no recipient" in nobody.stdout
    with http_server() as (url, received):
        received.answers = [404]
        configure(published, f'to = "slack"\nurl = "{url}"')
        failed = run(app, ["alerts", "--send", "--home", str(published.root)])
        again = run(app, ["alerts", "--send", "--json", "--home", str(published.root)])
    assert failed.exit_code == 1
    assert again.exit_code == 0
    assert len(json.loads(again.stdout)["sent"]) == 1
    assert len(json.loads(again.stdout)["breaches"]) == 5


def test_small_amounts_keep_their_first_digits(ledger: Home) -> None:
    with duckdb.connect(ledger.warehouse_database) as connection:
        connection.execute(
            "create table cost_per_day as select date '2026-11-20' as reporting_date; create table cost_anomalies as "
            "select date '2026-11-20' as reporting_date, 'model' as entity_type, 'm' as entity_id, "
            "0.00042::decimal(38,12) as cost_usd, 0.0::double as expected_usd, 9.0 as score, 'new' as driver"
        )
    [breach] = find_breaches(ledger)
    assert breach.title == "model m cost $0.00042 on 2026-11-20, usually about $0.00"
