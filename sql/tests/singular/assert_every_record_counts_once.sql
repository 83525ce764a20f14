-- A row here is a record that the ledger holds twice, on whichever days. Every report counts it twice. In an ordinary
-- build int_row_checks looks within each changed day; over all days only a full refresh looks, which reads them anyway.

select
    record_id,
    count(*) as row_count
from {{ ref('stg_usage') }}
where {{ is_full_refresh() }}
group by record_id
having count(*) > 1
