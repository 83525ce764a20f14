{# Whether rows of two relations are about the same user, assignment or model. #}
{% macro same_entity(left, right) -%}
    {{ left }}.entity_type = {{ right }}.entity_type
    and {{ left }}.entity_id = {{ right }}.entity_id
    and {{ left }}.entity_tenant is not distinct from {{ right }}.entity_tenant
    and {{ left }}.entity_provider is not distinct from {{ right }}.entity_provider
{%- endmacro %}

{# What names an entity whose days are compared; of a relation, if one is given. #}
{% macro entity_columns(relation=none) -%}
    {%- set prefix = relation ~ '.' if relation else '' -%}
    {%- for column in ['entity_type', 'entity_id', 'entity_tenant', 'entity_provider'] -%}
        {{ prefix }}{{ column }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
