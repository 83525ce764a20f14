{# The whole numbers from one to another, both included, as rows of a column of this name. #}
{% macro integers(first, last, column) %}
    {{- return(adapter.dispatch('integers')(first, last, column)) -}}
{% endmacro %}

{% macro duckdb__integers(first, last, column) -%}
    unnest(range({{ first }}, {{ last }} + 1)) as {{ column }}
{%- endmacro %}

{# sequence() counts downwards where last is before first; range() gives nothing. #}
{% macro spark__integers(first, last, column) -%}
    explode(if({{ last }} < {{ first }}, array(), sequence({{ first }}, {{ last }}))) as {{ column }}
{%- endmacro %}
