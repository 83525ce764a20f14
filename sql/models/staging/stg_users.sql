with

source as (

    select * from {{ source('ledger', 'users') }}

),

renamed as (

    select
        user_id,
        tenant,
        name as user_name
    from source

)

select * from renamed
