with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

places as (

    select * from {{ ref('int_trackable_places') }}

),

in_trees as (

    {{ in_trees('daily') }}

),

quantiles as (

    select * from {{ ref('int_assignment_quantiles') }}

),

assignments as (

    select * from {{ ref('dim_assignment') }}

),

-- NULL is the remainder that belongs to no assignment, so that the rows still sum to the ledger.
labelled as (

    select
        *,
        case
            when {{ is_grading() }} then 'grading'
            when {{ is_rubric() }} then 'rubric'
            else 'other'
        end as work_kind,
        requests - failed_requests as answered_requests,
        case when status = 'error' then 0 else requests - unpriced_requests end as priced_requests
    from in_trees

),

-- What names its submission or rubric counts as often as there are such; what names none, as often as it was answered.
-- Answers without a price tell nothing of what one costs: priced_units leaves out what has only such.
things as (

    select
        assignment_id,
        assignment_tenant,
        work_kind,
        trackable_type,
        trackable_id,
        case when {{ is_unit() }} then 1 else {{ sum_count('answered_requests') }} end as units,
        case
            when {{ is_unit() }} then least({{ sum_count('priced_requests') }}, 1)
            else {{ sum_count('priced_requests') }}
        end as priced_units
    from labelled
    where assignment_id is not null and work_kind <> 'other'
    group by assignment_id, assignment_tenant, work_kind, trackable_type, trackable_id
    having sum(answered_requests) > 0

),

units as (

    select
        assignment_id,
        assignment_tenant,
        {{ sum_count("case when work_kind = 'grading' then units end") }} as graded_submissions,
        {{ sum_count("case when work_kind = 'grading' then priced_units end") }} as priced_submissions,
        {{ sum_count("case when work_kind = 'rubric' then units end") }} as rubrics,
        {{ sum_count("case when work_kind = 'rubric' then priced_units end") }} as priced_rubrics
    from things
    group by all

),

costs as (

    select
        assignment_id,
        assignment_tenant,
        {{ sum_count("case when work_kind = 'grading' then requests else 0 end") }} as grading_requests,
        {{ sum_count("case when work_kind = 'rubric' then requests else 0 end") }} as rubric_requests,
        {{ sum_usd("case when work_kind = 'grading' then cost_usd end") }} as grading_cost_usd,
        {{ sum_usd("case when work_kind = 'rubric' then cost_usd end") }} as rubric_cost_usd,
        {{ sum_usd("case when work_kind = 'other' then cost_usd end") }} as other_cost_usd,
        {{ sum_measures() }}
    from labelled
    group by all

),

measured as (

    select
        costs.assignment_id,
        costs.assignment_tenant as tenant,
        assignments.assignment_name,
        costs.requests,
        costs.failed_requests,
        costs.unpriced_requests,
        costs.input_tokens,
        costs.cache_read_tokens,
        costs.cache_write_tokens,
        costs.cache_write_1h_tokens,
        costs.output_tokens,
        costs.reasoning_tokens,
        costs.token_count,
        costs.cost_usd,
        costs.micro_usd,
        coalesce(units.graded_submissions, 0) as graded_submissions,
        coalesce(units.priced_submissions, 0) as priced_submissions,
        coalesce(units.rubrics, 0) as rubrics,
        coalesce(units.priced_rubrics, 0) as priced_rubrics,
        costs.grading_requests,
        costs.rubric_requests,
        costs.grading_cost_usd,
        costs.rubric_cost_usd,
        costs.other_cost_usd,
        {{ proportion('costs.grading_cost_usd', '1', 'nullif(units.priced_submissions, 0)') }}
            as grading_usd_per_submission,
        {{ proportion('costs.rubric_cost_usd', '1', 'nullif(units.graded_submissions, 0)') }}
            as rubric_usd_per_submission,
        {{ proportion(
            '(coalesce(costs.rubric_cost_usd, 0) + coalesce(costs.other_cost_usd, 0) + '
            ~ proportion('costs.grading_cost_usd', 'units.graded_submissions', 'nullif(units.priced_submissions, 0)')
            ~ ')',
            '1', 'nullif(units.graded_submissions, 0)'
        ) }} as usd_per_submission,
        {{ proportion('costs.rubric_cost_usd', '1', 'nullif(units.priced_rubrics, 0)') }} as usd_per_rubric,
        quantiles.graded_usd_p50
        * {{ share('costs.grading_requests', 'units.graded_submissions') }} as marginal_submission_usd,
        quantiles.request_usd_p50,
        quantiles.request_usd_p95,
        {{ share('quantiles.retry_requests', 'costs.requests') }} as share_retried,
        {{ share('costs.failed_requests', 'costs.requests') }} as share_failed,
        {{ share('quantiles.partial_requests', 'costs.requests') }} as share_partial
    from costs
    left join units
        on
            costs.assignment_id = units.assignment_id
            and costs.assignment_tenant is not distinct from units.assignment_tenant
    left join quantiles
        on
            costs.assignment_id is not distinct from quantiles.assignment_id
            and costs.assignment_tenant is not distinct from quantiles.assignment_tenant
    left join assignments
        on
            costs.assignment_id = assignments.assignment_id
            and costs.assignment_tenant is not distinct from assignments.tenant

)

select * from measured
