-- depends_on: {{ ref('int_cost_daily') }}

-- A row here is a model that says it partitions the ledger (meta: cut) but is not tested with sums_to_ledger. An
-- unproven cut may drop or repeat money and nobody would notice.

{% set cuts = [] %}
{% set proven = [] %}
{% if execute %}
    {% for node in graph.nodes.values() %}
        {% if node.resource_type == 'model' and node.config.meta.get('cut') %}
            {% do cuts.append(node.unique_id) %}
        {% elif node.resource_type == 'test' and node.get('test_metadata', {}).get('name') == 'sums_to_ledger' %}
            {% do proven.append(node.attached_node) %}
        {% endif %}
    {% endfor %}
{% endif %}

with

unproven as (

    select 'none' as model_name
    {% for model_name in cuts | reject('in', proven) %}
    union all
    select '{{ model_name }}' as model_name
    {% endfor %}

)

select * from unproven
where model_name <> 'none'
