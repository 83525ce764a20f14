{# The calendar date of an instant in an IANA time zone. #}
{% macro local_date(instant, timezone) %}
    {{- return(adapter.dispatch('local_date')(instant, dbt.string_literal(dbt.escape_single_quotes(timezone)))) -}}
{% endmacro %}

{% macro duckdb__local_date(instant, timezone) -%}
    cast({{ instant }} at time zone {{ timezone }} as date)
{%- endmacro %}

{% macro spark__local_date(instant, timezone) -%}
    to_date(from_utc_timestamp({{ instant }}, {{ timezone }}))
{%- endmacro %}
