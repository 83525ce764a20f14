{% set cell = ['reporting_month', 'provider', 'llm', 'request_type'] %}

with

waste as (

    select * from {{ ref('wasted_spend') }}

),

cache as (

    select * from {{ ref('savings_cache') }}

),

batch as (

    select * from {{ ref('savings_batch') }}

),

long_context as (

    select * from {{ ref('long_context_surcharges') }}

),

outliers as (

    select * from {{ ref('outlier_requests') }}

),

other_models as (

    select * from {{ ref('model_what_if') }}

),

-- The cheapest of the models that could have taken every one of a cell's calls.
cheapest_models as (

    select *
    from other_models
    where left_out_requests = 0
    qualify
        row_number()
            over (
                partition by {{ cell | join(', ') }} order by what_if_cost_usd, what_if_provider, what_if_llm
            )
        = 1

),

found as (

    select
        {{ cell | join(', ') }},
        'batch' as opportunity,
        'high' as confidence,
        cast(null as string) as what_if_provider,
        cast(null as string) as what_if_llm,
        requests,
        cost_usd,
        saving_usd,
        'calls nobody waits for, at the rates of a batch' as evidence
    from batch
    where is_eligible

    union all

    select
        {{ cell | join(', ') }},
        'wasted_calls' as opportunity,
        'medium' as confidence,
        cast(null as string) as what_if_provider,
        cast(null as string) as what_if_llm,
        {{ sum_count('requests') }} as requests,
        {{ sum_usd('cost_usd') }} as cost_usd,
        {{ sum_usd('cost_usd') }} as saving_usd,
        'calls that failed, broke off, were tried again or repeated an answered one' as evidence
    from waste
    group by {{ cell | join(', ') }}

    union all

    select
        {{ cell | join(', ') }},
        'cache' as opportunity,
        'medium' as confidence,
        cast(null as string) as what_if_provider,
        cast(null as string) as what_if_llm,
        missed_requests as requests,
        missed_cost_usd as cost_usd,
        missed_saving_usd as saving_usd,
        'prompts that began as one sent shortly before did, and were not read from the cache' as evidence
    from cache

    union all

    select
        {{ cell | join(', ') }},
        'long_context' as opportunity,
        'low' as confidence,
        cast(null as string) as what_if_provider,
        cast(null as string) as what_if_llm,
        requests,
        cost_usd,
        surcharge_usd as saving_usd,
        'inputs long enough for a dearer tier, at the rates of the first' as evidence
    from long_context

    union all

    select
        {{ cell | join(', ') }},
        'other_model' as opportunity,
        'low' as confidence,
        what_if_provider,
        what_if_llm,
        requests,
        cost_usd,
        saving_usd,
        'the same tokens at the rates of the cheapest model that could take every call' as evidence
    from cheapest_models

    union all

    select
        {{ start_of('month', 'reporting_date') }} as reporting_month,
        provider,
        llm,
        request_type,
        'outliers' as opportunity,
        'low' as confidence,
        cast(null as string) as what_if_provider,
        cast(null as string) as what_if_llm,
        {{ sum_count('1') }} as requests,
        {{ sum_usd('cost_usd') }} as cost_usd,
        cast(sum(cost_usd - cast(median_cost_usd as decimal(38, 12))) as decimal(38, 12)) as saving_usd,
        'calls far costlier than most of their kind, at the cost of the middle one' as evidence
    from outliers
    group by all

),

-- Of one cell and one confidence only the largest counts: the others would save the same money again.
ranked as (

    select
        *,
        row_number() over (
            partition by {{ cell | join(', ') }}, confidence order by saving_usd desc, opportunity asc
        ) as saving_rank
    from found
    where saving_usd > 0

),

counted as (

    select
        {{ cell | join(', ') }},
        opportunity,
        confidence,
        what_if_provider,
        what_if_llm,
        requests,
        cost_usd,
        saving_usd,
        cast(case when saving_rank = 1 then saving_usd else 0 end as decimal(38, 12)) as counted_saving_usd,
        {{ share('saving_usd', 'cost_usd') }} as share_saved,
        evidence
    from ranked

)

select * from counted
