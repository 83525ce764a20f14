with

quarantined as (

    select * from {{ ref('stg_quarantined') }}

),

aggregated as (

    select
        journal,
        reason,
        {{ sum_count('1') }} as byte_ranges,
        {{ sum_count('bytes') }} as bytes
    from quarantined
    group by all

)

select * from aggregated
