with

source as (

    select * from {{ source('ledger', 'what_if_costs') }}

),

renamed as (

    select
        usage_date,
        reporting_date,
        provider,
        llm,
        request_type,
        scenario,
        what_if_provider,
        what_if_llm,
        requests,
        left_out_requests,
        cost_usd,
        what_if_cost_usd

    from source

)

select * from renamed
