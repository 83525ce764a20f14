-- A row here is a record that the ledger holds twice, on whichever days. Every report counts it twice. In an ordinary
-- build int_row_checks looks within each changed day; over all days only a full refresh looks, which reads them anyway.

with

-- Few rows share a hash: only they need to be compared.
shared_hashes as (

    select {{ row_hash(['record_id']) }} as row_hash
    from {{ ref('stg_usage') }}
    where {{ is_full_refresh() }}
    group by {{ row_hash(['record_id']) }}
    having count(*) > 1

)

select
    usage_rows.record_id,
    count(*) as row_count
from {{ ref('stg_usage') }} as usage_rows
inner join shared_hashes on {{ row_hash(['usage_rows.record_id']) }} = shared_hashes.row_hash
where {{ is_full_refresh() }}
group by usage_rows.record_id
having count(*) > 1
