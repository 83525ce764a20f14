with

source as (

    select * from {{ source('ledger', 'quarantined') }}

),

renamed as (

    select
        journal,
        start as start_byte,
        length as bytes,
        reason
    from source

)

select * from renamed
