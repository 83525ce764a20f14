-- A row here is a day with calls that is later than today, or before there were models to call: whoever recorded them
-- has a wrong clock. Nothing is lost: reports show them on that day. But no budget counts them before it, and their
-- prices are those of that day.
{{ config(severity='warn') }}

select
    reporting_date,
    requests,
    cost_usd
from {{ ref('cost_per_day') }}
where not ({{ has_come('reporting_date') }})
