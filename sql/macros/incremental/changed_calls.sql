{# The calls of the changed days, each once, as its corrections leave it: how it ended, and what it cost. For a model
   whose CTE changed_rows holds all rows of those days. A correction keeps the status of the row it corrects; where it
   brings tokens, the rest of a stream that had broken off has come. #}
{% macro changed_calls() -%}
    select
        calls.*,
        coalesce(calls.attempt > 1, false) or calls.retry_of is not null as is_retry,
        case
            when calls.status = 'partial' and added.token_count is not null then 'ok' else calls.status
        end as corrected_status,
        coalesce(calls.cost_usd + added.cost_usd, calls.cost_usd, added.cost_usd) as corrected_cost_usd
    from changed_rows as calls
    left join (
        select
            corrects_record_id,
            max(token_count) as token_count,
            {{ sum_usd('cost_usd') }} as cost_usd
        from changed_rows
        where charge_class = 'correction'
        group by corrects_record_id
    ) as added
        on calls.record_id = added.corrects_record_id
    where calls.charge_class = 'usage'
{%- endmacro %}
