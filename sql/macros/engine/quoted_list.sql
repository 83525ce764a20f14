{# Texts as a list for `in (…)`; an empty list holds nothing. #}
{% macro quoted_list(texts) -%}
    {%- for text in texts -%}
        {{ dbt.string_literal(dbt.escape_single_quotes(text)) }}{{ ', ' if not loop.last }}
    {%- else -%}
        null
    {%- endfor -%}
{%- endmacro %}
