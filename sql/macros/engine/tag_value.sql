{# The value of one tag, named by an expression, in a JSON object of tags; as text. NULL where it has none. #}
{% macro tag_value(tags, name) %}
    {{- return(adapter.dispatch('tag_value')(tags, name)) -}}
{% endmacro %}

{# A map, not a path: a tag's name may hold dots and quotes. Half of a surrogate pair alone, which Python writes and
   DuckDB calls malformed, becomes the replacement character; what is no object all the same has no tags. #}
{% macro duckdb__tag_value(tags, name) -%}
    {%- set whole = "regexp_replace(" ~ tags ~ ", '\\\\u[dD][89a-fA-F][0-9a-fA-F]{2}', '\\\\ufffd', 'g')" -%}
    element_at(
        try_cast(
            coalesce(try_cast({{ tags }} as json), try_cast({{ whole }} as json)) as map(varchar, varchar)
        ),
        {{ name }}
    )[1]
{%- endmacro %}

{% macro spark__tag_value(tags, name) -%}
    try_element_at(from_json({{ tags }}, 'map<string, string>'), {{ name }})
{%- endmacro %}
