with

{{ standing_calls() }},

measures as (

    select 'latency_ms' as measure
    union all
    select 'ttft_ms' as measure

),

timed as (

    select
        calls.usage_date,
        calls.day_fingerprint,
        calls.reporting_date,
        calls.provider,
        calls.llm,
        calls.request_type,
        calls.standing_status as status,
        calls.output_tokens,
        measures.measure,
        case measures.measure when 'latency_ms' then calls.latency_ms else calls.ttft_ms end as milliseconds
    from calls
    cross join measures

),

-- A day on which no time is known has rows too, or else every build would look for it again.
bucketed as (

    select
        usage_date,
        reporting_date,
        provider,
        llm,
        request_type,
        status,
        measure,
        {{ log_bucket('milliseconds') }} as bucket,
        day_fingerprint,
        {{ sum_count('1') }} as requests,
        {{ sum_count('milliseconds') }} as total_ms,
        {{ sum_count('case when milliseconds is not null then output_tokens end') }} as output_tokens,
        {{ sum_count('case when output_tokens is not null then milliseconds end') }} as output_ms
    from timed
    group by all

)

select * from bucketed
