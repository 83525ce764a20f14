with

source as (

    select * from {{ source('ledger', 'invoices') }}

),

renamed as (

    select
        -- ids
        file as file_name,
        line as line_number,

        -- what was billed
        provider,
        model,
        first_date,
        {{ date_after('end_date', -1, 'day') }} as last_date,
        {{ start_of('month', 'first_date') }} as usage_month,
        token_count,

        -- money
        amount_usd,
        tolerance_usd
    from source

)

select * from renamed
