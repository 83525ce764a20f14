with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

priced as (

    select * from {{ ref('stg_models') }}

),

in_ledger as (

    select
        provider,
        llm,
        min(reporting_date) as first_reporting_date,
        max(reporting_date) as last_reporting_date
    from daily
    group by all

),

-- Models that were called though nobody has priced them are kept: joining the dimension loses no call.
all_models as (

    select
        coalesce(priced.provider, in_ledger.provider) as provider,
        coalesce(priced.llm, in_ledger.llm) as llm,
        priced.llm_family,
        priced.context_window,
        priced.price_id,
        priced.input_usd_per_million,
        priced.cache_read_usd_per_million,
        priced.cache_write_usd_per_million,
        priced.output_usd_per_million,
        priced.usd_per_request,
        priced.long_context_above,
        priced.varies_by_hour,
        priced.valid_from,
        priced.valid_to,
        in_ledger.first_reporting_date,
        in_ledger.last_reporting_date
    from priced
    full outer join in_ledger
        on
            priced.provider = in_ledger.provider
            and priced.llm = in_ledger.llm

),

ranked as (

    select
        *,
        row_number() over (partition by provider, llm order by valid_from desc) = 1 as is_latest
    from all_models

)

select * from ranked
