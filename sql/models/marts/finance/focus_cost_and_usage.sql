-- Column names are those of FOCUS, the FinOps Open Cost and Usage Specification.
-- noqa: disable=CP02

with

charges as (

    select * from {{ ref('int_charges_daily') }}

),

aggregated as (

    select
        usage_date,
        billing_month,
        is_late_correction,
        tenant,
        request_type,
        provider,
        llm,
        model,
        service_tier,
        region,
        tags,
        consumed_unit,
        cast(sum(consumed_quantity) as decimal(38, 12)) as consumed_quantity,
        {{ sum_usd('list_cost_usd') }} as list_cost_usd,
        {{ sum_measures() }}
    from charges
    group by all

),

described as (

    select
        -- account
        'default' as BillingAccountId,
        cast(null as string) as BillingAccountName,
        tenant as SubAccountId,
        cast(null as string) as InvoiceId,

        -- periods, UTC
        {{ midnight('billing_month') }} as BillingPeriodStart,
        {{ midnight(date_after('billing_month', 1, 'month')) }} as BillingPeriodEnd,
        {{ midnight('usage_date') }} as ChargePeriodStart,
        {{ midnight(date_after('usage_date', 1, 'day')) }} as ChargePeriodEnd,

        -- charge
        'Usage' as ChargeCategory,
        case when is_late_correction then 'Correction' end as ChargeClass,
        request_type || ' on ' || coalesce(llm, model, 'unknown model') as ChargeDescription,
        'Usage-Based' as ChargeFrequency,
        'Standard' as PricingCategory,

        -- who made, sold and invoices it
        provider as ProviderName,
        provider as PublisherName,
        provider as InvoiceIssuerName,
        'AI and Machine Learning' as ServiceCategory,
        'Generative AI' as ServiceSubcategory,
        'Large language models' as ServiceName,
        region as RegionId,
        region as RegionName,
        -- A charge for usage has one always.
        coalesce(llm, model, 'unknown model') as SkuId,
        consumed_unit as SkuMeter,

        -- quantity
        consumed_quantity as ConsumedQuantity,
        consumed_unit as ConsumedUnit,
        consumed_quantity as PricingQuantity,
        consumed_unit as PricingUnit,

        -- money
        'USD' as BillingCurrency,
        coalesce(cost_usd, 0) as BilledCost,
        coalesce(cost_usd, 0) as EffectiveCost,
        coalesce(cost_usd, 0) as ContractedCost,
        coalesce(list_cost_usd, 0) as ListCost,

        tags as Tags, -- noqa: AL09

        -- what FOCUS has no name for
        request_type as x_RequestType,
        model as x_Model,
        service_tier as x_ServiceTier,
        requests as x_Requests,
        unpriced_requests as x_UnpricedRequests,
        token_count as x_TokenCount,
        input_tokens as x_InputTokens,
        cache_read_tokens as x_CacheReadTokens,
        cache_write_tokens as x_CacheWriteTokens,
        output_tokens as x_OutputTokens,
        reasoning_tokens as x_ReasoningTokens,
        micro_usd as x_MicroUsd
    from aggregated

)

select * from described
