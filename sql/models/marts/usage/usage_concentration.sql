with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

user_months as (

    select
        {{ start_of('month', 'reporting_date') }} as reporting_month,
        user_id,
        tenant,
        {{ sum_count('requests') }} as requests,
        coalesce({{ sum_usd('cost_usd') }}, 0) as cost_usd
    from daily
    group by all

),

ranked as (

    select
        *,
        row_number() over (
            partition by reporting_month
            order by cost_usd desc, requests desc, user_id asc, tenant asc
        ) as user_rank,
        count(*) over (partition by reporting_month) as user_count
    from user_months

),

tops as (

    {% for percent in [1, 5, 10, 20, 50, 100] %}
    select {{ percent }} as top_percent
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- The top 1 % of 150 users are 2: rounded up, so there is always somebody.
marked as (

    select
        ranked.*,
        tops.top_percent,
        (ranked.user_rank - 1) * 100 < ranked.user_count * tops.top_percent as is_top
    from ranked
    cross join tops

),

aggregated as (

    select
        reporting_month,
        top_percent,
        max(user_count) as monthly_users,
        {{ sum_count('case when is_top then 1 else 0 end') }} as top_users,
        {{ sum_count('case when is_top then requests else 0 end') }} as top_requests,
        {{ sum_usd('case when is_top then cost_usd else 0 end') }} as top_cost_usd,
        {{ sum_usd('cost_usd') }} as all_cost_usd
    from marked
    group by all

),

shared as (

    select
        reporting_month,
        top_percent,
        monthly_users,
        top_users,
        top_requests,
        top_cost_usd,
        {{ share('top_cost_usd', 'all_cost_usd') }} as share_of_cost
    from aggregated

)

select * from shared
