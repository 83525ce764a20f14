{# The rows of the ledger added up by everything reports of cost ask for: what int_cost_daily holds, of any rows that go
   with the call they belong to. Priced or not is the call's after its corrections: of one cell some calls are, and a
   correction that brings a price brings no tokens. #}
{% macro cost_cube(rows_relation) -%}
    select
        usage_date,
        reporting_date,
        tenant,
        user_id,
        trackable_type,
        trackable_id,
        trackable_parent_type,
        trackable_parent_id,
        holder_type,
        holder_id,
        request_type,
        llm,
        provider,
        model,
        service_tier,
        status,
        day_fingerprint,
        count(*) as row_count,
        max(occurred_at) as last_occurred_at,
        {{ sum_count("case when standing_pricing_status <> 'unpriced' then token_count end") }} as priced_token_count,
        {{ sum_measures() }}
    from {{ rows_relation }}
    group by all
{%- endmacro %}
