with

source as (

    select * from {{ source('ledger', 'refused') }}

),

renamed as (

    select
        -- ids
        refused_id,

        -- why, and what became of it
        kind,
        state,
        error,
        reason,
        was_acknowledged,

        -- what for
        provider,
        model,
        request_type,

        -- money
        estimated_usd,

        -- timestamps
        {{ local_date('occurred_at', var('reporting_timezone')) }} as reporting_date,
        occurred_at,
        refused_at
    from source

)

select * from renamed
