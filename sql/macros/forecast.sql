{# The forecast of a budget: a day costs what the same weekday cost on average in the last four weeks. #}

{# The date whose weekday average forecasts `date`, as known at `cutoff`: the last same weekday up to it. #}
{% macro forecast_from(date, cutoff) -%}
    {{ date_after(date, '-7 * cast(ceil(' ~ days_between(cutoff, date) ~ ' / 7.0) as integer)', 'day') }}
{%- endmacro %}

{# Half the width of the interval that should hold 80 % of the sums of so many days, 1.28 standard deviations. A sum is
   missed by what its days scatter (days), by what the averages they share were off (of `weeks` days each, 7 of them), and
   by what the forecast was off of late, day after day (drift), while spending grows or shrinks. #}
{% macro forecast_margin(deviation, drift, weeks, days) -%}
    1.2815515655446 * sqrt(
        {{ deviation }} * {{ deviation }} * ({{ days }} + {{ days }} * {{ days }} / (7.0 * {{ weeks }}))
        + {{ drift }} * {{ drift }} * {{ days }} * {{ days }}
    )
{%- endmacro %}

{# The same margin, wider the further ahead it looks, and drawn towards what forecasts of as many days missed of late, in USD
   and in margins. What was seen has little weight: so it held best, measured on series of others (docs/budgets.md). #}
{% macro seen_margin(modelled, seen) -%}
    {%- set wider = modelled ~ '.margin_usd * (1 + 0.5 * least(' ~ modelled ~ '.days_ahead, 28) / 28)' -%}
    case
        when {{ modelled }}.margin_usd > 0 and {{ seen }}.missed_by_usd > 0 and {{ seen }}.missed_by_margins > 0
            then exp(
                0.7 * ln({{ wider }})
                + 0.15 * ln({{ seen }}.missed_by_usd)
                + 0.15 * ln({{ modelled }}.margin_usd * {{ seen }}.missed_by_margins)
            )
        else {{ wider }}
    end
{%- endmacro %}

{# The interval's lower end. Nothing that is spent comes back; and where no width is known there is no interval: greatest()
   takes a NULL for nothing. #}
{% macro forecast_low(forecast, margin, spent) -%}
    case when {{ margin }} is not null then greatest({{ forecast }} - {{ margin }}, cast({{ spent }} as double)) end
{%- endmacro %}
