with

invoices as (

    select * from {{ ref('stg_invoices') }}

),

invoice_days as (

    select * from {{ ref('stg_invoice_days') }}

),

daily as (

    select * from {{ ref('int_cost_daily') }}

),

-- Invoices name models as the provider does, or as the catalogue does.
model_names as (

    select
        provider,
        model as billed_as,
        min(llm) as llm
    from daily
    where llm is not null
    group by all

),

invoiced as (

    select
        invoices.provider,
        invoices.usage_month,
        coalesce(model_names.llm, invoices.model) as llm,
        invoices.token_count,
        invoices.amount_usd,
        invoices.tolerance_usd
    from invoices
    left join model_names
        on invoices.provider = model_names.provider and invoices.model = model_names.billed_as

),

invoiced_months as (

    select
        invoice_days.provider,
        {{ start_of('month', 'invoice_days.usage_date') }} as usage_month,
        count(*) as invoiced_days
    from invoice_days
    group by all

),

-- An invoice that names no model is compared as a whole.
naming_months as (

    select distinct
        provider,
        usage_month
    from invoices
    where model is not null

),

recorded as (

    select
        daily.provider,
        invoiced_months.usage_month,
        case when naming_months.provider is not null then coalesce(daily.llm, daily.model) end as llm,
        daily.requests,
        daily.unpriced_requests,
        daily.priced_token_count as token_count,
        daily.cost_usd
    from daily
    inner join invoice_days
        on daily.provider = invoice_days.provider and daily.usage_date = invoice_days.usage_date
    inner join invoiced_months
        on
            daily.provider = invoiced_months.provider
            and {{ start_of('month', 'daily.usage_date') }} = invoiced_months.usage_month
    left join naming_months
        on
            invoiced_months.provider = naming_months.provider
            and invoiced_months.usage_month = naming_months.usage_month

),

stacked as (

    select
        provider,
        usage_month,
        llm,
        1 as invoice_lines,
        case when token_count is not null then 1 else 0 end as lines_with_tokens,
        token_count as invoiced_token_count,
        amount_usd as invoiced_usd,
        tolerance_usd,
        cast(null as bigint) as requests,
        cast(null as bigint) as unpriced_requests,
        cast(null as bigint) as token_count,
        cast(null as decimal(38, 12)) as cost_usd
    from invoiced
    union all
    select
        provider,
        usage_month,
        llm,
        0 as invoice_lines,
        0 as lines_with_tokens,
        cast(null as bigint) as invoiced_token_count,
        cast(null as decimal(38, 12)) as invoiced_usd,
        cast(null as decimal(38, 12)) as tolerance_usd,
        requests,
        unpriced_requests,
        token_count,
        cost_usd
    from recorded

),

cells as (

    select
        provider,
        usage_month,
        llm,
        {{ sum_count('invoice_lines') }} as invoice_lines,
        {{ sum_count('lines_with_tokens') }} as lines_with_tokens,
        {{ sum_count('invoiced_token_count') }} as invoiced_token_count,
        {{ sum_usd('invoiced_usd') }} as invoiced_usd,
        coalesce({{ sum_usd('tolerance_usd') }}, 0) as tolerance_usd,
        coalesce({{ sum_count('requests') }}, 0) as requests,
        coalesce({{ sum_count('unpriced_requests') }}, 0) as unpriced_requests,
        coalesce({{ sum_count('token_count') }}, 0) as token_count,
        {{ sum_usd('cost_usd') }} as cost_usd
    from stacked
    group by all

),

compared as (

    select
        *,
        coalesce(invoiced_usd, 0) - coalesce(cost_usd, 0) as residual_usd,
        invoiced_usd is null or cost_usd is null as is_one_sided,
        invoiced_usd is not null
        and cost_usd is not null
        and lines_with_tokens = invoice_lines
        and token_count > 0 as is_counted
    from cells

),

with_quantity as (

    select
        *,
        case when is_one_sided then residual_usd else 0 end as missing_usd,
        case
            when is_counted
                then {{ proportion('cost_usd', 'invoiced_token_count - token_count', 'token_count') }}
            else 0
        end as quantity_usd
    from compared

),

with_rest as (

    select
        *,
        residual_usd - missing_usd - quantity_usd as rest_usd,
        -- One digit more: what the split itself cuts off.
        abs(residual_usd - missing_usd - quantity_usd) <= tolerance_usd + 0.000000000001 as is_rounding
    from with_quantity

),

split as (

    select
        cells.provider,
        cells.usage_month,
        cells.llm,
        invoiced_months.invoiced_days,
        cells.invoice_lines,
        cells.requests,
        cells.unpriced_requests,
        cells.invoiced_token_count,
        cells.token_count,
        cells.invoiced_usd,
        cells.cost_usd,
        cast(cells.residual_usd as decimal(38, 12)) as residual_usd,
        cast(cells.missing_usd as decimal(38, 12)) as missing_usd,
        cast(cells.quantity_usd as decimal(38, 12)) as quantity_usd,
        cast(case when cells.is_counted and not cells.is_rounding then cells.rest_usd else 0 end as decimal(38, 12))
            as price_usd,
        cast(case when cells.is_rounding then cells.rest_usd else 0 end as decimal(38, 12)) as rounding_usd,
        cast(
            case when not cells.is_counted and not cells.is_rounding then cells.rest_usd else 0 end as decimal(38, 12)
        ) as unexplained_usd
    from with_rest as cells
    inner join invoiced_months
        on cells.provider = invoiced_months.provider and cells.usage_month = invoiced_months.usage_month

)

select * from split
