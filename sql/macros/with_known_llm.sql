{# The rows of a CTE with the model that calls of their name were, known_llm: a call that was recorded before the
   catalogue knew its model goes by the provider's name. The CTE names holds int_model_names. #}
{% macro with_known_llm(rows_relation) -%}
    select
        {{ rows_relation }}.*,
        coalesce(names.llm, {{ rows_relation }}.llm) as known_llm
    from {{ rows_relation }}
    left join names
        on {{ rows_relation }}.provider = names.provider and {{ rows_relation }}.llm = names.model_name
{%- endmacro %}
