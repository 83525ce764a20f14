-- See int_cost_daily for on_schema_change.
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook='{{ delete_changed_days() }}',
    )
}}

with

usage_rows as (

    select * from {{ ref('stg_usage') }}

),

segments as (

    select * from {{ source('ledger', 'segments') }}

),

changed_rows as (

    select
        usage_rows.usage_date,
        segments.fingerprint as day_fingerprint,
        usage_rows.charge_class,
        usage_rows.record_id,
        usage_rows.corrects_record_id,
        usage_rows.provider,
        usage_rows.llm,
        usage_rows.request_type,
        usage_rows.prompt_chars,
        usage_rows.input_tokens,
        usage_rows.output_tokens
    from usage_rows
    inner join segments on usage_rows.usage_date = segments.usage_date
    where {{ in_changed_days('usage_rows.usage_date') }}

),

corrections as (

    select
        corrects_record_id,
        {{ sum_count('input_tokens') }} as input_tokens,
        {{ sum_count('output_tokens') }} as output_tokens
    from changed_rows
    where charge_class = 'correction'
    group by corrects_record_id

),

-- A call has one size, that which its corrections leave it with.
calls as (

    select
        calls.usage_date,
        calls.day_fingerprint,
        calls.provider,
        calls.llm,
        calls.request_type,
        calls.prompt_chars,
        coalesce(calls.input_tokens + added.input_tokens, calls.input_tokens, added.input_tokens) as input_tokens,
        coalesce(calls.output_tokens + added.output_tokens, calls.output_tokens, added.output_tokens) as output_tokens
    from changed_rows as calls
    left join corrections as added on calls.record_id = added.corrects_record_id
    where calls.charge_class = 'usage'

),

measures as (

    select 'prompt_chars' as measure
    union all
    select 'input_tokens' as measure
    union all
    select 'output_tokens' as measure

),

sizes as (

    select
        calls.usage_date,
        calls.day_fingerprint,
        calls.provider,
        calls.llm,
        calls.request_type,
        measures.measure,
        case measures.measure
            when 'prompt_chars' then calls.prompt_chars
            when 'input_tokens' then calls.input_tokens
            else calls.output_tokens
        end as size
    from calls
    cross join measures

),

-- Sizes of the same number of binary digits share a bucket: 0, 1, 2 to 3, 4 to 7, 8 to 15 …
bucketed as (

    select
        usage_date,
        provider,
        llm,
        request_type,
        measure,
        case when size > 0 then length(bin(size)) else 0 end as binary_digits,
        day_fingerprint,
        {{ sum_count('1') }} as requests,
        {{ sum_count('size') }} as total_size
    from sizes
    where size is not null
    group by all

)

select * from bucketed
