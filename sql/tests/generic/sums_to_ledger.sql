{# The model holds the whole ledger exactly once: each measure sums to ledger.segments to the last digit.
   A row names a measure that does not, with both sums. A missing sum counts as 0.
   A model of rows may name one that holds its sums by day: it is added up instead, except in a full refresh, so that an
   ordinary build reads no row again. #}
{% test sums_to_ledger(model, sums_by_day=none) %}

{% set added_up = model if sums_by_day is none or is_full_refresh() else sums_by_day %}

{% set measures = ['requests', 'token_count', 'cost_usd', 'micro_usd', 'unpriced_requests'] %}

with

cut as (

    select
        {% for measure in measures %}
        coalesce(cast(sum({{ measure }}) as decimal(38, 12)), 0) as {{ measure }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ added_up }}

),

ledger as (

    select
        {% for measure in measures %}
        coalesce(cast(sum({{ measure }}) as decimal(38, 12)), 0) as {{ measure }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ source('ledger', 'segments') }}

),

compared as (

    {% for measure in measures %}
    select
        '{{ measure }}' as measure,
        cut.{{ measure }} as in_cut,
        ledger.{{ measure }} as in_ledger
    from cut cross join ledger
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from compared
where in_cut <> in_ledger

{% endtest %}
