{# The calls of the changed days, each once, as its corrections leave it: how it ended, and what it cost. For a model that has the CTEs
   usage_rows and segments. #}
{% macro changed_calls() -%}
    select
        calls.*,
        segments.fingerprint as day_fingerprint,
        {{ local_date('calls.occurred_at', var('reporting_timezone')) }} as reporting_date,
        coalesce(calls.attempt > 1, false) or calls.retry_of is not null as is_retry,
        coalesce(added.status, calls.status) as corrected_status,
        coalesce(calls.cost_usd + added.cost_usd, calls.cost_usd, added.cost_usd) as corrected_cost_usd
    from (select * from usage_rows where charge_class = 'usage' and {{ in_changed_days('usage_date') }}) as calls
    inner join segments on calls.usage_date = segments.usage_date
    left join (
        select
            corrects_record_id,
            max_by(status, recorded_at) as status,
            {{ sum_usd('cost_usd') }} as cost_usd
        from usage_rows
        where charge_class = 'correction' and {{ in_changed_days('usage_date') }}
        group by corrects_record_id
    ) as added
        on calls.record_id = added.corrects_record_id
{%- endmacro %}
