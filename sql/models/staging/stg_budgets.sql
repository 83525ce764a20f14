with

source as (

    select * from {{ source('ledger', 'budgets') }}

),

renamed as (

    select
        -- ids
        entry_number,
        name as budget_name,

        -- what it covers
        scope,
        scope_key,
        scope_value,
        tenant,

        -- when
        period,
        valid_from,
        valid_to,

        -- money
        limit_usd
    from source

)

select * from renamed
