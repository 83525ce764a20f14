with

source as (

    select * from {{ source('ledger', 'conflicts') }}

),

renamed as (

    select
        event_key,
        record_id
    from source

)

select * from renamed
