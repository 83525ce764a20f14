with

refused as (

    select * from {{ ref('stg_refused') }}

),

aggregated as (

    select
        reporting_date,
        provider,
        kind,
        state,
        error,
        reason,
        {{ sum_count('1') }} as calls,
        {{ sum_count('case when was_acknowledged then 1 else 0 end') }} as acknowledged_calls,
        {{ sum_count('case when estimated_usd is null then 1 else 0 end') }} as calls_without_estimate,
        {{ sum_usd('estimated_usd') }} as estimated_usd
    from refused
    group by all

)

select * from aggregated
