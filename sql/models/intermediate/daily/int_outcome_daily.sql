-- What became of each call and whether it was paid for in vain.
with

{{ rows_of_standing_calls() }},

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
        {{ standing_word('status', 'usage_rows') }} = 'ok' as is_answered
    from {{ ref('stg_usage') }} as usage_rows
    inner join repeated_prompts
        on {{ row_hash(['usage_rows.usage_date', 'usage_rows.prompt_hmac']) }} = repeated_prompts.prompt_hash
    left join corrected on usage_rows.record_id = corrected.call_id
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
judged as (

    select
        rows_of_calls.*,
        case
            when rows_of_calls.standing_status = 'error' then 'failed'
            when rows_of_calls.standing_status = 'partial' then 'partial'
            when tried_again.record_id is not null then 'retried'
            when duplicates.record_id is not null then 'duplicate'
            else 'none'
        end as waste
    from rows_of_calls
    left join
        tried_again
        on rows_of_calls.call_id = tried_again.record_id and rows_of_calls.usage_date = tried_again.usage_date
    left join
        duplicates
        on rows_of_calls.call_id = duplicates.record_id and rows_of_calls.usage_date = duplicates.usage_date

),

aggregated as (

    select
        usage_date,
        reporting_date,
        provider,
        llm,
        request_type,
        standing_status as status,
        case when standing_status = 'error' then standing_error_type end as error_type,
        waste,
        is_retry,
        day_fingerprint,
        {{ sum_measures() }}
    from judged
    group by all

)

select * from aggregated
