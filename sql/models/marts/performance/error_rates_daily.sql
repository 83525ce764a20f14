with

outcomes as (

    select * from {{ ref('int_outcome_daily') }}

),

names as (

    select * from {{ ref('int_model_names') }}

),

named_outcomes as (

    {{ with_known_llm('outcomes') }}

),

aggregated as (

    select
        reporting_date,
        provider,
        known_llm as llm,
        request_type,
        status,
        error_type,
        {{ sum_count('case when is_retry then requests else 0 end') }} as retry_requests,
        {{ sum_measures() }}
    from named_outcomes
    group by all

),

shared as (

    select
        *,
        {{ share('requests', 'sum(requests) over (partition by reporting_date, provider, llm, request_type)') }}
            as share_of_requests
    from aggregated

)

select * from shared
