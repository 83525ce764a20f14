{# A list of values, and one more at the end of it. #}
{% macro list_of(values) -%}
    {{ dbt.array_construct(values) }}
{%- endmacro %}

{% macro with_last(list, value) -%}
    {{ dbt.array_append(list, value) }}
{%- endmacro %}
