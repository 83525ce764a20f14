with

source as (

    select * from {{ source('ledger', 'models') }}

),

renamed as (

    select
        -- ids
        provider,
        llm,
        price_id,

        -- model
        llm_family,
        context_window,

        -- rates
        input_usd_per_million,
        cache_read_usd_per_million,
        cache_write_usd_per_million,
        output_usd_per_million,
        usd_per_request,
        long_context_above,
        varies_by_hour,

        -- timestamps
        valid_from,
        valid_to
    from source

)

select * from renamed
