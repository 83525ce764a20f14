{# How many rows the expression is not true of. Unknown (NULL) is not true. #}
{% macro count_unless(expression) -%}
    count(*) filter (where not coalesce({{ expression }}, false))
{%- endmacro %}
