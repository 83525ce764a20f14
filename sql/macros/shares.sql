{# A part of a whole as a ratio, 0 to 1. A ratio is no money: DOUBLE will do. NULL where there is no whole. #}
{% macro share(part, whole) -%}
    cast({{ part }} as double) / nullif(cast({{ whole }} as double), 0)
{%- endmacro %}
