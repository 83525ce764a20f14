{# The instant at which a date begins in UTC. Both engines' time zone is UTC. #}
{% macro midnight(date) %}
    {{- return(adapter.dispatch('midnight')(date)) -}}
{% endmacro %}

{% macro duckdb__midnight(date) -%}
    cast({{ date }} as timestamptz)
{%- endmacro %}

{% macro spark__midnight(date) -%}
    cast({{ date }} as timestamp)
{%- endmacro %}
