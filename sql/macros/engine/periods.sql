{# The first day of the week (Monday), month or year that a date is in. #}
{% macro start_of(period, date) -%}
    cast({{ dbt.date_trunc(period, date) }} as date)
{%- endmacro %}

{# The first day of the fiscal quarter or year that a date is in: that of the calendar, so many months later. #}
{% macro start_of_fiscal(period, date) -%}
    {%- set months = (var('fiscal_year_first_month') | int) - 1 -%}
    {{ date_after(start_of(period, date_after(date, -months, 'month')), months, 'month') }}
{%- endmacro %}

{# A date so many days, weeks, months or years later. #}
{% macro date_after(date, count, period) -%}
    cast({{ dbt.dateadd(period, count, date) }} as date)
{%- endmacro %}

{# Whole days from one date to another. #}
{% macro days_between(first, last) -%}
    {{ dbt.datediff(first, last, 'day') }}
{%- endmacro %}
