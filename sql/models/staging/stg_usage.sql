with

source as (

    select * from {{ source('ledger', 'usage') }}

),

renamed as (

    select
        -- ids
        event_key,
        record_id,
        corrects_record_id,
        retry_of,
        provider_response_id,
        trace_id,
        price_id,

        -- who and what for
        tenant,
        user_id,
        trackable_type,
        trackable_id,
        trackable_parent_type,
        trackable_parent_id,
        coalesce(trackable_parent_type, trackable_type) as holder_type,
        coalesce(trackable_parent_id, trackable_id) as holder_id,
        request_type,
        tags,

        -- model
        llm,
        llm_family,
        provider,
        model,
        service_tier,
        price_context,
        region,
        stream,

        -- outcome
        charge_class,
        status,
        finish_reason,
        error_type,
        attempt,
        pricing_status,
        corrects_pricing_status,
        price_assumptions,
        {{ assumed('price_assumptions', 'pricing_status') }} as assumed,
        {{ coverage() }} as coverage,

        -- requests
        cast(case when charge_class = 'usage' then 1 else 0 end as bigint) as requests,
        cast(case when charge_class = 'usage' and status = 'error' then 1 else 0 end as bigint) as failed_requests,
        cast(
            case when {{ coverage() }} = 'unpriced' then 1 else 0 end
            - case when corrects_pricing_status = 'unpriced' then 1 else 0 end
            as bigint
        ) as unpriced_requests,

        -- tokens
        input_tokens,
        cache_read_tokens,
        cache_write_tokens,
        cache_write_1h_tokens,
        output_tokens,
        reasoning_tokens,
        token_count,
        other_units,

        -- money
        cost_usd,
        micro_usd,
        provider_cost_usd,

        -- performance
        latency_ms,
        ttft_ms,

        -- prompt
        prompt_chars,
        prompt_hmac,
        prompt_prefix_hmac,

        -- timestamps
        usage_date,
        occurred_at,
        recorded_at

    from source

)

select * from renamed
