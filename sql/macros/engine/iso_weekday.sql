{# The day of the week, 1 (Monday) to 7 (Sunday). #}
{% macro iso_weekday(date) %}
    {{- return(adapter.dispatch('iso_weekday')(date)) -}}
{% endmacro %}

{% macro duckdb__iso_weekday(date) -%}
    cast(isodow({{ date }}) as integer)
{%- endmacro %}

{% macro spark__iso_weekday(date) -%}
    (weekday({{ date }}) + 1)
{%- endmacro %}
