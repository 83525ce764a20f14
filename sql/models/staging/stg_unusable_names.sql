with

source as (

    select * from {{ source('ledger', 'unusable_names') }}

),

renamed as (

    select
        file as file_name,
        line as line_number,
        reason
    from source

)

select * from renamed
