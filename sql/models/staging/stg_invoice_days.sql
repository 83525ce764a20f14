with

source as (

    select * from {{ source('ledger', 'invoice_days') }}

),

renamed as (

    select
        provider,
        usage_date,
        file as file_name
    from source

)

select * from renamed
