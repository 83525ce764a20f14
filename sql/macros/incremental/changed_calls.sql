{# The calls of the changed days, each once, as its corrections leave it: how it ended, and what it cost. For a model
   whose CTE changed_rows holds all rows of those days. A correction says how the call stands then: where the rest of a
   stream that had broken off came later, it is ok. #}
{% macro changed_calls() -%}
    select
        calls.*,
        coalesce(calls.attempt > 1, false) or calls.retry_of is not null as is_retry,
        coalesce(added.status, calls.status) as corrected_status,
        coalesce(calls.cost_usd + added.cost_usd, calls.cost_usd, added.cost_usd) as corrected_cost_usd
    from changed_rows as calls
    left join (
        select
            corrects_record_id,
            max_by(status, recorded_at) as status,
            {{ sum_usd('cost_usd') }} as cost_usd
        from changed_rows
        where charge_class = 'correction'
        group by corrects_record_id
    ) as added
        on calls.record_id = added.corrects_record_id
    where calls.charge_class = 'usage'
{%- endmacro %}
