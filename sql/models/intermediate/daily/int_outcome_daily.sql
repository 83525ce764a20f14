-- What became of each call and whether it was paid for in vain.
with

{{ changed_rows() }},

{{ changed_corrections() }},

corrected_calls as (

    select
        record_id,
        status,
        error_type,
        {{ is_retry() }} as is_retry
    from {{ ref('stg_usage') }}
    where
        charge_class = 'usage'
        and {{ in_changed_days('usage_date') }}
        and record_id in (select corrected.corrects_record_id from corrected)

),

tried_again as (

    select distinct
        usage_date,
        retry_of as record_id
    from {{ ref('stg_usage') }}
    where charge_class = 'usage' and retry_of is not null and {{ in_changed_days('usage_date') }}

),

-- Few prompts are sent twice: only their calls need to be put in order.
repeated_prompts as (

    select {{ row_hash(['usage_date', 'prompt_hmac']) }} as prompt_hash
    from {{ ref('stg_usage') }}
    where charge_class = 'usage' and prompt_hmac is not null and {{ in_changed_days('usage_date') }}
    group by {{ row_hash(['usage_date', 'prompt_hmac']) }}
    having count(*) > 1

),

repeating_calls as (

    select
        usage_rows.*,
        coalesce(corrected.status, usage_rows.status) = 'ok' as is_answered
    from {{ ref('stg_usage') }} as usage_rows
    inner join repeated_prompts
        on {{ row_hash(['usage_rows.usage_date', 'usage_rows.prompt_hmac']) }} = repeated_prompts.prompt_hash
    left join corrected on usage_rows.record_id = corrected.corrects_record_id
    where
        usage_rows.charge_class = 'usage'
        and usage_rows.prompt_hmac is not null
        and {{ in_changed_days('usage_rows.usage_date') }}

),

-- The same words sent again by the same user for the same thing to the same model, although an answer had come.
duplicates as (

    select
        usage_date,
        record_id
    from repeating_calls
    where is_answered
    qualify
        row_number()
            over (
                partition by
                    usage_date, provider, llm, request_type, tenant, user_id, trackable_type, trackable_id, prompt_hmac
                order by occurred_at, record_id
            )
        > 1

),

-- Corrections count with the call they correct, so that the model holds the ledger once.
rows_of_calls as (

    select
        changed_rows.*,
        coalesce(changed_rows.corrects_record_id, changed_rows.record_id) as call_id,
        coalesce(corrected_calls.status, changed_rows.status) as first_status,
        case when changed_rows.charge_class = 'usage' then changed_rows.error_type else corrected_calls.error_type end
            as call_error_type,
        case
            when changed_rows.charge_class = 'usage' then {{ is_retry('changed_rows') }}
            else coalesce(corrected_calls.is_retry, false)
        end as is_retry
    from changed_rows
    left join corrected_calls on changed_rows.corrects_record_id = corrected_calls.record_id

),

standing as (

    select
        rows_of_calls.*,
        coalesce(corrected.status, rows_of_calls.first_status) as standing_status
    from rows_of_calls
    left join corrected on rows_of_calls.call_id = corrected.corrects_record_id

),

judged as (

    select
        standing.*,
        case
            when standing.standing_status = 'error' then 'failed'
            when standing.standing_status = 'partial' then 'partial'
            when tried_again.record_id is not null then 'retried'
            when duplicates.record_id is not null then 'duplicate'
            else 'none'
        end as waste
    from standing
    left join tried_again on standing.call_id = tried_again.record_id and standing.usage_date = tried_again.usage_date
    left join duplicates on standing.call_id = duplicates.record_id and standing.usage_date = duplicates.usage_date

),

aggregated as (

    select
        usage_date,
        reporting_date,
        provider,
        llm,
        request_type,
        standing_status as status,
        case when standing_status = 'error' then call_error_type end as error_type,
        waste,
        is_retry,
        day_fingerprint,
        {{ sum_measures() }}
    from judged
    group by all

)

select * from aggregated
