with

{{ standing_calls() }},

measures as (

    select 'prompt_chars' as measure
    union all
    select 'input_tokens' as measure
    union all
    select 'output_tokens' as measure

),

sizes as (

    select
        calls.usage_date,
        calls.day_fingerprint,
        calls.provider,
        calls.llm,
        calls.request_type,
        measures.measure,
        case measures.measure
            when 'prompt_chars' then calls.prompt_chars
            when 'input_tokens' then calls.standing_input_tokens
            else calls.standing_output_tokens
        end as size
    from calls
    cross join measures

),

-- Sizes of the same number of binary digits share a bucket: 0, 1, 2 to 3, 4 to 7, 8 to 15 …
bucketed as (

    select
        usage_date,
        provider,
        llm,
        request_type,
        measure,
        case when size > 0 then length(bin(size)) else 0 end as binary_digits,
        day_fingerprint,
        {{ sum_count('1') }} as requests,
        {{ sum_count('size') }} as total_size
    from sizes
    where size is not null
    group by all

)

select * from bucketed
