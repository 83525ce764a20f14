-- What became of each call and whether it was paid for in vain. See int_cost_daily for on_schema_change.
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook='{{ delete_changed_days() }}',
    )
}}

with

usage_rows as (

    select * from {{ ref('stg_usage') }}

),

segments as (

    select * from {{ source('ledger', 'segments') }}

),

changed_rows as (

    select
        usage_rows.*,
        segments.fingerprint as day_fingerprint,
        {{ local_date('usage_rows.occurred_at', var('reporting_timezone')) }} as reporting_date
    from usage_rows
    inner join segments on usage_rows.usage_date = segments.usage_date
    where {{ in_changed_days('usage_rows.usage_date') }}

),

calls as (

    {{ changed_calls() }}

),

tried_again as (

    select distinct
        usage_date,
        retry_of as record_id
    from calls
    where retry_of is not null

),

-- The same words sent again by the same user for the same thing to the same model, although an answer had come.
answered as (

    select
        record_id,
        row_number() over (
            partition by
                usage_date, provider, llm, request_type, tenant, user_id, trackable_type, trackable_id, prompt_hmac
            order by occurred_at, record_id
        ) as answer_number
    from calls
    where corrected_status = 'ok' and prompt_hmac is not null

),

judged as (

    select
        calls.record_id,
        calls.is_retry,
        case when calls.corrected_status = 'error' then calls.error_type end as error_type,
        calls.corrected_status as status,
        case
            when calls.corrected_status = 'error' then 'failed'
            when calls.corrected_status = 'partial' then 'partial'
            when tried_again.record_id is not null then 'retried'
            when answered.answer_number > 1 then 'duplicate'
            else 'none'
        end as waste
    from calls
    left join tried_again on calls.record_id = tried_again.record_id and calls.usage_date = tried_again.usage_date
    left join answered on calls.record_id = answered.record_id

),

-- Corrections count with the call they correct, so that the model holds the ledger once.
aggregated as (

    select
        changed_rows.usage_date,
        changed_rows.reporting_date,
        changed_rows.provider,
        changed_rows.llm,
        changed_rows.request_type,
        coalesce(judged.status, changed_rows.status) as status,
        judged.error_type,
        coalesce(judged.waste, 'none') as waste,
        coalesce(judged.is_retry, false) as is_retry,
        changed_rows.day_fingerprint,
        {{ sum_measures() }}
    from changed_rows
    left join judged on coalesce(changed_rows.corrects_record_id, changed_rows.record_id) = judged.record_id
    group by all

)

select * from aggregated
