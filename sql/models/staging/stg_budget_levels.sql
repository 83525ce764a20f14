with

source as (

    select * from {{ source('ledger', 'budget_levels') }}

)

select * from source
