{{ config(materialized='table') }}

with

outcomes as (

    select * from {{ ref('int_request_cost_daily') }}

),

places as (

    select * from {{ ref('int_trackable_places') }}

),

in_trees as (

    {{ in_trees('outcomes', own_assignment_id='own_assignment_id') }}

),

buckets as (

    select
        assignment_id,
        assignment_tenant,
        case when status = 'ok' and {{ is_grading() }} then 'graded' else 'all' end as work_kind,
        bucket,
        {{ sum_count('requests') }} as requests,
        {{ sum_count('retry_requests') }} as retry_requests,
        {{ sum_count("case when status = 'partial' then requests else 0 end") }} as partial_requests
    from in_trees
    group by all

),

kinds as (

    select
        assignment_id,
        assignment_tenant,
        'all' as work_kind,
        bucket,
        requests,
        retry_requests,
        partial_requests
    from buckets
    union all
    select
        assignment_id,
        assignment_tenant,
        work_kind,
        bucket,
        requests,
        cast(0 as bigint) as retry_requests,
        cast(0 as bigint) as partial_requests
    from buckets
    where work_kind = 'graded'

),

merged as (

    select
        assignment_id,
        assignment_tenant,
        work_kind,
        bucket,
        {{ sum_count('requests') }} as requests,
        {{ sum_count('retry_requests') }} as retry_requests,
        {{ sum_count('partial_requests') }} as partial_requests
    from kinds
    group by all

),

ranked as (

    select
        *,
        sum(requests) over (
            partition by assignment_id, assignment_tenant, work_kind, bucket is null
            order by bucket
            rows between unbounded preceding and current row
        ) as reached,
        sum(requests) over (partition by assignment_id, assignment_tenant, work_kind, bucket is null) as all_requests
    from merged

),

reached_buckets as (

    select
        assignment_id,
        assignment_tenant,
        {{ sum_count('retry_requests') }} as retry_requests,
        {{ sum_count('partial_requests') }} as partial_requests,
        {{ quantile_bucket('0.5', "work_kind = 'all'") }} as p50,
        {{ quantile_bucket('0.95', "work_kind = 'all'") }} as p95,
        {{ quantile_bucket('0.5', "work_kind = 'graded'") }} as graded_p50
    from ranked
    group by all

),

quantiles as (

    select
        assignment_id,
        assignment_tenant,
        retry_requests,
        partial_requests,
        {{ bucket_middle('p50') }} / 1000000000000 as request_usd_p50,
        {{ bucket_middle('p95') }} / 1000000000000 as request_usd_p95,
        {{ bucket_middle('graded_p50') }} / 1000000000000 as graded_usd_p50
    from reached_buckets

)

select * from quantiles
