with

source as (

    select * from {{ source('ledger', 'budget_levels') }}

),

renamed as (

    select
        entry_number,
        warn_percent
    from source

)

select * from renamed
