{# The hour, 0 to 23, of an instant in an IANA time zone. #}
{% macro local_hour(instant, timezone) %}
    {{- return(adapter.dispatch('local_hour')(instant, dbt.string_literal(dbt.escape_single_quotes(timezone)))) -}}
{% endmacro %}

{% macro duckdb__local_hour(instant, timezone) -%}
    cast(extract(hour from {{ instant }} at time zone {{ timezone }}) as integer)
{%- endmacro %}

{% macro spark__local_hour(instant, timezone) -%}
    hour(from_utc_timestamp({{ instant }}, {{ timezone }}))
{%- endmacro %}
