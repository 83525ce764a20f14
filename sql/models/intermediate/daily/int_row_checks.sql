-- What must be true of every row, counted when a day changes and never again: rows do not change under a fingerprint.
with

{{ changed_rows() }},

labelled as (

    select
        *,
        charge_class = 'correction' as is_correction
    from changed_rows

),

-- Few rows share a hash: only they need to be compared.
shared_hashes as (

    select {{ row_hash(['usage_date', 'record_id']) }} as row_hash
    from {{ ref('stg_usage') }}
    where {{ in_changed_days('usage_date') }}
    group by {{ row_hash(['usage_date', 'record_id']) }}
    having count(*) > 1

),

repeats as (

    select
        usage_rows.usage_date,
        count(*) - count(distinct usage_rows.record_id) as repeated_record_ids
    from {{ ref('stg_usage') }} as usage_rows
    inner join shared_hashes
        on {{ row_hash(['usage_rows.usage_date', 'usage_rows.record_id']) }} = shared_hashes.row_hash
    where {{ in_changed_days('usage_rows.usage_date') }}
    group by usage_rows.usage_date

),

counted as (

    select
        usage_date,
        day_fingerprint,
        count(*) as row_count,
        {{ sum_measures() }},
        {{ count_unless('user_id is not null and provider is not null and request_type is not null') }}
            as rows_without_user_provider_or_request_type,
        {{ count_unless('holder_type is not null and holder_id is not null') }}
            as rows_without_trackable,
        {{ count_unless('occurred_at is not null and recorded_at is not null') }} as rows_without_instants,
        {{ count_unless("charge_class in ('usage', 'correction')") }} as unknown_charge_classes,
        {{ count_unless("status in ('ok', 'error', 'partial')") }} as unknown_statuses,
        {{ count_unless("pricing_status in ('priced', 'unpriced', 'estimated', 'provider_reported')") }}
            as unknown_pricing_statuses,
        {{ count_unless('is_correction = (corrects_record_id is not null)') }} as corrections_of_nothing,
        {{ count_unless('is_correction = (corrects_pricing_status is not null)') }} as corrections_of_no_pricing_status,
        {{ count_unless('(trackable_parent_type is null) = (trackable_parent_id is null)') }} as half_named_parents,
        {{ count_unless("(pricing_status = 'unpriced') = (cost_usd is null)") }} as unpriced_rows_with_a_cost,
        {{ count_unless('(cost_usd is null) = (micro_usd is null)') }} as costs_without_micro_usd,
        {{ count_unless(
            'token_count is not distinct from coalesce(input_tokens + output_tokens, input_tokens, output_tokens)'
        ) }}
            as token_counts_unlike_input_and_output,
        {{ count_unless(
            'is_correction or coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)'
            ~ ' <= coalesce(input_tokens, 0)'
        ) }}
            as cached_tokens_beyond_input,
        {{ count_unless('is_correction or coalesce(cache_write_1h_tokens, 0) <= coalesce(cache_write_tokens, 0)') }}
            as cache_1h_tokens_beyond_cache_write,
        {{ count_unless('is_correction or coalesce(reasoning_tokens, 0) <= coalesce(output_tokens, 0)') }}
            as reasoning_tokens_beyond_output,
        {{ count_unless('is_correction or least(coalesce(cost_usd, 0), input_tokens, output_tokens) >= 0') }}
            as negative_usage
    from labelled
    group by usage_date, day_fingerprint

),

checked as (

    select
        counted.*,
        coalesce(repeats.repeated_record_ids, 0) as repeated_record_ids
    from counted
    left join repeats on counted.usage_date = repeats.usage_date

)

select * from checked
