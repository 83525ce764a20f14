with

source as (

    select * from {{ source('ledger', 'discounts') }}

),

renamed as (

    select
        price_id,
        discount_percent,
        usd_per_request
    from source

)

select * from renamed
