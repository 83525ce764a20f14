-- Each day's costliest calls, few enough to keep.
with

{{ standing_calls() }},

histograms as (

    select * from {{ ref('int_call_cost_daily') }}
    where {{ in_changed_days('usage_date') }}

),

ranked as (

    select
        *,
        sum(requests) over (
            partition by usage_date, provider, llm, request_type order by coalesce(bucket, -1) desc
        ) as reached
    from histograms

),

-- Sorting every call would take ten times as long as all else: those below this bucket are not among the costliest.
bounds as (

    select
        usage_date,
        provider,
        llm,
        request_type,
        coalesce(
            max(case when reached >= 20 then coalesce(bucket, -1) end), min(coalesce(bucket, -1))
        ) as least_bucket
    from ranked
    group by all

),

dear_calls as (

    select calls.*
    from calls
    inner join bounds
        on
            calls.usage_date = bounds.usage_date
            and calls.provider = bounds.provider
            and calls.llm is not distinct from bounds.llm
            and calls.request_type = bounds.request_type
    where coalesce({{ log_bucket('calls.standing_cost_usd * 1000000000000') }}, -1) >= bounds.least_bucket

),

costliest as (

    select
        usage_date,
        record_id,
        occurred_at,
        reporting_date,
        tenant,
        user_id,
        trackable_type,
        trackable_id,
        provider,
        llm,
        request_type,
        standing_input_tokens as input_tokens,
        standing_output_tokens as output_tokens,
        standing_cost_usd as cost_usd,
        day_fingerprint
    from dear_calls
    qualify
        row_number()
            over (
                partition by usage_date, provider, llm, request_type
                order by coalesce(standing_cost_usd, 0) desc, record_id asc
            )
        <= 20

)

select * from costliest
