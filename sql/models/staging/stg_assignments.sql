with

source as (

    select * from {{ source('ledger', 'assignments') }}

),

renamed as (

    select
        assignment_id,
        tenant,
        name as assignment_name
    from source

)

select * from renamed
