with

daily as (

    select * from {{ ref('int_size_daily') }}

),

aggregated as (

    select
        measure,
        request_type,
        provider,
        llm,
        binary_digits,
        {{ sum_count('requests') }} as requests,
        {{ sum_count('total_size') }} as total_size
    from daily
    group by all

),

bounded as (

    select
        measure,
        request_type,
        provider,
        llm,
        case when binary_digits = 0 then 0 else cast(power(2, binary_digits - 1) as bigint) end as size_from,
        cast(power(2, binary_digits) as bigint) - 1 as size_to,
        requests,
        total_size
    from aggregated

)

select * from bounded
