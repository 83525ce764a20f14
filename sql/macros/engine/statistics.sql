{# The median of an expression, as a DOUBLE; also over a window. #}
{% macro median_of(expression) %}
    {{- return(adapter.dispatch('median_of')(expression)) -}}
{% endmacro %}

{% macro duckdb__median_of(expression) -%}
    median(cast({{ expression }} as double))
{%- endmacro %}

{# median() takes no frame on Spark; percentile() does. #}
{% macro spark__median_of(expression) -%}
    percentile(cast({{ expression }} as double), 0.5)
{%- endmacro %}
