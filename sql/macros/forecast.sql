{# The forecast of a budget: a day costs what the same weekday cost on average in the last four weeks.

   Its interval holds 80 % of outcomes if misses are independent and roughly normal: the sum of `days` days misses by
   their own spread and by that of the averages they share (7 of `weeks` days each), so its standard deviation is
   deviation * sqrt(days + days * days / (7 * weeks)). #}

{# The date whose weekday average forecasts `date`, as known at `cutoff`: the last same weekday up to it. #}
{% macro forecast_from(date, cutoff) -%}
    {{ date_after(date, '-7 * cast(ceil(' ~ days_between(cutoff, date) ~ ' / 7.0) as integer)', 'day') }}
{%- endmacro %}

{# Half the width of the interval around the forecast of the sum of so many days. #}
{% macro forecast_margin(deviation, weeks, days) -%}
    1.2815515655446004 * {{ deviation }} * sqrt({{ days }} + {{ days }} * {{ days }} / (7.0 * {{ weeks }}))
{%- endmacro %}
