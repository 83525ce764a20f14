{# Whether rows of two relations are about the same user, assignment or model. #}
{% macro same_entity(left, right) -%}
    {{ left }}.entity_type = {{ right }}.entity_type
    and {{ left }}.entity_id = {{ right }}.entity_id
    and {{ left }}.entity_tenant is not distinct from {{ right }}.entity_tenant
    and {{ left }}.entity_provider is not distinct from {{ right }}.entity_provider
{%- endmacro %}
