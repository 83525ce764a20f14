{# At the end of a run: the descriptions of sources travel with the data too. dbt's persist_docs knows only what dbt
   makes; and it takes back what a hook at the end of a run has not committed. #}
{% macro describe_sources() %}
    {{- return(adapter.dispatch('describe_sources')()) -}}
{% endmacro %}

{% macro default__describe_sources() %}{% endmacro %}

{% macro duckdb__describe_sources() -%}
    {% if execute %}
        {% for node in graph.sources.values() %}
            {% set relation = node.schema ~ '.' ~ node.identifier %}
            {% set kind = adapter.get_relation(node.database, node.schema, node.identifier).type %}
            comment on {{ kind }} {{ relation }} is {{ described(node) }};
            {% for column in node.columns.values() %}
                comment on column {{ relation }}.{{ adapter.quote(column.name) }} is {{ described(column) }};
            {% endfor %}
        {% endfor %}
        commit;
    {% endif %}
{%- endmacro %}

{% macro described(node) -%}
    {{ dbt.string_literal(dbt.escape_single_quotes(node.description)) }}
{%- endmacro %}
