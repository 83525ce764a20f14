"""Commands about prices: price, reprice."""

from dataclasses import astuple, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

import typer

from tracking import ArgumentError, Cost, CostCalculator, UnknownModelError, UsageError
from tracking.home import Home
from tracking.money import EXACT
from tracking.pricing.sources.catalogue import every_model
from tracking.pricing.sources.overrides import PriceOverrides
from tracking.usage import Quantity
from warehouse.cli.output import HomeOption, JsonOption, home_of, say, say_json, say_table, working
from warehouse.sealing.reprice import AssumptionDifference, RowSelection, reprice


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: llm-cost price gpt-5-mini --input 1200 --cached 800 --output 300 --at 2026-05-01")(
        price
    )
    app.command(name="reprice", epilog="Example: llm-cost reprice --model ft:school-grader-v1 --dry-run")(reprice_)


def price(
    model: Annotated[str | None, typer.Argument(help="The model, as its provider names it.")] = None,
    input_tokens: Annotated[int | None, typer.Option("--input", help="All input tokens, cached ones included.")] = None,
    cached: Annotated[int | None, typer.Option(help="Input tokens read from the cache.")] = None,
    cache_write: Annotated[int | None, typer.Option(help="Input tokens written to the cache.")] = None,
    cache_write_1h: Annotated[int | None, typer.Option(help="Those of them kept for an hour.")] = None,
    output_tokens: Annotated[int | None, typer.Option("--output", help="All output tokens.")] = None,
    reasoning: Annotated[int | None, typer.Option(help="Output tokens spent on reasoning.")] = None,
    unit: Annotated[list[str] | None, typer.Option(help="Any other unit, e.g. --unit web_searches=2.")] = None,
    provider: Annotated[str | None, typer.Option(help="Default: whose naming the model follows.")] = None,
    at: Annotated[str | None, typer.Option(help="A date or an instant with a time zone; default: now.")] = None,
    tier: Annotated[str | None, typer.Option(help="batch, flex, priority, fast, …")] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Rank every model of the catalogue for this usage.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="With --compare: how many models.")] = 25,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a call would cost: the receipt, or with --compare every model ranked by it.

    The prices are the catalogue's, and those of prices.toml in the home where there is one.
    """
    counts = _counts(
        {
            "input_tokens": input_tokens,
            "cache_read_tokens": cached,
            "cache_write_tokens": cache_write,
            "cache_write_1h_tokens": cache_write_1h,
            "output_tokens": output_tokens,
            "reasoning_tokens": reasoning,
        },
        unit or [],
    )
    target: Home = home_of(home)
    calculator = CostCalculator(PriceOverrides.load(target.prices_toml))
    arguments: dict[str, Any] = {
        "at": _instant(at),
        "service_tier": tier,
        **counts,
    }
    if compare:
        _compare(calculator, arguments, provider, limit, as_json=as_json)
        return
    if model is None:
        raise ArgumentError("model", "is missing (or give --compare)")
    cost = calculator.cost_of(model=model, provider=provider, **arguments)
    if as_json:
        say_json(_json(cost))
    else:
        for line in cost.explain().splitlines():
            say(line)


def _counts(tokens: dict[str, int | None], units: list[str]) -> dict[str, Quantity]:
    counts: dict[str, Quantity] = {name: count for name, count in tokens.items() if count is not None}
    for text in units:
        name, separator, quantity = text.partition("=")
        try:
            counts[name.strip()] = Decimal(quantity)
        except ArithmeticError:
            separator = ""
        if not separator:
            raise ArgumentError("unit", f"({text!r}) is not of the form name=quantity, e.g. web_searches=2")
    if not counts:
        raise ArgumentError("usage", "is missing: give --input, --output or another count")
    return counts


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentError("at", f"({text!r}) is neither a date nor an ISO 8601 instant") from None
    if len(text) == len("2026-05-01"):
        return instant.replace(tzinfo=UTC)
    if instant.tzinfo is None:
        raise ArgumentError("at", f"({text!r}) has no time zone")
    return instant


def _compare(
    calculator: CostCalculator, arguments: dict[str, Any], provider: str | None, limit: int, *, as_json: bool
) -> None:
    costs: list[Cost] = []
    for seller, model in every_model():
        if provider not in (None, seller):
            continue
        try:
            cost = calculator.cost_of(provider=seller, model=model, **arguments)
        except (UnknownModelError, UsageError):
            continue
        # A model without a rate for what is asked is no cheaper choice: it does not do that.
        if cost.price and {unit for unit, count in cost.counts.items() if count} <= cost.price.card.units_covered():
            costs.append(cost)
    ranking = sorted(costs, key=lambda cost: (cost.usd or Decimal(0), cost.provider, cost.llm or ""))
    if as_json:
        say_json([_json(cost) for cost in ranking[:limit]])
        return
    cheapest = next((cost.usd for cost in ranking if cost.usd), None)
    rows = [
        (cost.provider, cost.llm, EXACT.normalize(cost.usd or Decimal(0)), _times(cost.usd, cheapest))
        for cost in ranking[:limit]
    ]
    say_table(["provider", "model", "usd", "× cheapest"], rows)
    if len(ranking) > limit:
        say(f"{len(ranking) - limit:,} more; --limit shows more of them, --provider those of one provider")


def _times(usd: Decimal | None, cheapest: Decimal | None) -> Decimal | None:
    return (usd / cheapest).quantize(Decimal("0.1")) if usd and cheapest else None


def _json(cost: Cost) -> dict[str, object]:
    lines = [
        {"unit": line.unit, "quantity": line.quantity, "usd": line.rate, "per": line.per, "amount": line.amount}
        for line in cost.lines
    ]
    return {
        "provider": cost.provider,
        "model": cost.model,
        "llm": cost.llm,
        "at": cost.at,
        "usd": cost.usd,
        "lines": lines,
        "price_id": cost.price_id,
    }


def reprice_(
    model: Annotated[str | None, typer.Option(help="Only rows of this model.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="Only calls from this UTC date on.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Only calls up to this UTC date, it included.")] = None,
    restate: Annotated[
        bool, typer.Option("--restate", help="Priced rows too, after a price was corrected or a rule changed.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Price what is unpriced, by the catalogue and prices.toml as they are now, at each call's own instant.

    Rows are never changed: what differs is appended as corrections. Doing it again adds nothing.
    """
    selection = RowSelection(model, _date("from", start), _date("to", end), restate)
    with working("pricing"):
        report = reprice(home_of(home), selection, dry_run=dry_run)
    differences = sorted(report.differences.values(), key=lambda each: -abs(each.difference_usd))
    rows = [
        (each.provider, each.model, each.rows, each.before_usd, each.after_usd, each.difference_usd)
        for each in differences
    ]
    columns = ["provider", "model", "rows", "before_usd", "after_usd", "difference_usd"]
    resting = [(word, *astuple(difference)) for word, difference in sorted(report.by_assumption.items())]
    resting_columns = ["assumption", *(each.name for each in fields(AssumptionDifference))]
    if as_json:
        say_json(
            {
                "dry_run": dry_run,
                "corrections": report.rows,
                "still_unpriced": report.still_unpriced,
                "models": [dict(zip(columns, row, strict=True)) for row in rows],
                "assumptions": [dict(zip(resting_columns, row, strict=True)) for row in resting],
            }
        )
        return
    if rows:
        say_table(columns, rows)
        say_table(resting_columns, resting)
    verb = "would be corrected" if dry_run else "corrected"
    say(f"{report.rows:,} rows {verb}; {report.still_unpriced:,} stay unpriced")
    if report.rows and not dry_run:
        say("Run `llm-cost build` to see it in the reports")


def _date(name: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentError(name, f"({text!r}) is not a date, e.g. 2026-05-01") from None
