"""Calls that were refused: kept with what is known of them, for they were paid for."""

from datetime import UTC, datetime
from typing import cast

from tracking.attribution import current_attribution
from tracking.calls.given import GivenCall, told
from tracking.calls.lost import LostCalls
from tracking.errors import ArgumentError
from tracking.interrupts import raise_interrupt_behind
from tracking.journal.kept_parts import attribution_part
from tracking.journal.kept_response import estimated_usd, read_response, with_prompt
from tracking.journal.quarantine import Quarantine
from tracking.pricing.calculator import CostCalculator
from tracking.rows.build import instant_of_call
from tracking.rows.options import CallOptions


class RefusedCalls:
    """Puts refused calls into quarantine, with what they cost by their own counts."""

    def __init__(self, quarantine: Quarantine, calculator: CostCalculator, lost: LostCalls) -> None:
        self._quarantine = quarantine
        self._calculator = calculator
        self._lost = lost

    def keep(self, error: BaseException, call: GivenCall) -> object:
        """Where a refused call was kept. Whatever goes wrong here, the refusal itself is what is told."""
        try:
            given = {name: value for name, value in call.options.items() if value is not None}
            attribution = attribution_part(call.arguments, cast(CallOptions, {**current_attribution(), **given}))
            answer = call.arguments["llm_response"]
            response = call.response or read_response(answer, attribution.get("provider"), attribution.get("model"))
            if response is not None:
                response = with_prompt(response, call.arguments["prompt"])
            occurred_at = call.options.get("occurred_at") if attribution["occurred_at"] else None
            try:
                at = instant_of_call(occurred_at)
            except ArgumentError:  # which may be why the call is refused
                at = datetime.now(UTC)
            usd = estimated_usd(self._calculator, response, at, attribution.get("tenant"))
            return self._quarantine.keep(told(error), answer, attribution, response, usd)
        except Exception as failure:
            raise_interrupt_behind(failure)
            self._lost.add()
            return f"nowhere ({told(failure)})"
