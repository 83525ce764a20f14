with

unusable as (

    select * from {{ ref('stg_unusable_names') }}

)

select
    file_name,
    line_number,
    reason
from unusable
