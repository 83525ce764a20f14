{# The value of one tag, named by an expression, in a JSON object of tags; as text. NULL where it has none. #}
{% macro tag_value(tags, name) %}
    {{- return(adapter.dispatch('tag_value')(tags, name)) -}}
{% endmacro %}

{# A map, not a path: a tag's name may hold dots and quotes. #}
{% macro duckdb__tag_value(tags, name) -%}
    element_at(cast(cast({{ tags }} as json) as map(varchar, varchar)), {{ name }})[1]
{%- endmacro %}

{% macro spark__tag_value(tags, name) -%}
    try_element_at(from_json({{ tags }}, 'map<string, string>'), {{ name }})
{%- endmacro %}
