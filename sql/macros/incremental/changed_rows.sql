{# The CTE a model that is built by changed day begins with: every row of those days, with the day's fingerprint and the
   reporting date. Refer to it once: an engine that keeps what is used twice would keep the whole ledger. #}
{% macro changed_rows() -%}
    segments as (

        select * from {{ source('ledger', 'segments') }}

    ),

    changed_rows as (

        select
            usage_rows.*,
            segments.fingerprint as day_fingerprint,
            {{ reporting_date('usage_rows') }} as reporting_date
        from {{ ref('stg_usage') }} as usage_rows
        inner join segments on usage_rows.usage_date = segments.usage_date
        where {{ in_changed_days('usage_rows.usage_date') }}

    )
{%- endmacro %}

{# The corrections of the changed days, which are few, and what those of one call add up to. #}
{% macro changed_corrections() -%}
    corrections as (

        select * from {{ ref('stg_usage') }}
        where charge_class = 'correction' and {{ in_changed_days('usage_date') }}

    ),

    corrected as (

        select
            corrects_record_id,
            {{ sum_count('input_tokens') }} as input_tokens,
            {{ sum_count('output_tokens') }} as output_tokens,
            max_by(status, recorded_at) as status,
            {{ sum_usd('cost_usd') }} as cost_usd
        from corrections
        group by corrects_record_id

    )
{%- endmacro %}

{# The CTEs up to calls: the calls of the changed days, each once, as its corrections leave it: how it ended, how large it
   was and what it cost. A correction says how the call stands then: where the rest of a stream that had broken off came
   later, it is ok. #}
{% macro changed_calls() -%}
    {{ changed_rows() }},

    {{ changed_corrections() }},

    calls as (

        select
            changed_rows.*,
            {{ is_retry('changed_rows') }} as is_retry,
            coalesce(corrected.status, changed_rows.status) as corrected_status,
            coalesce(
                changed_rows.input_tokens + corrected.input_tokens, changed_rows.input_tokens, corrected.input_tokens
            ) as corrected_input_tokens,
            coalesce(
                changed_rows.output_tokens + corrected.output_tokens,
                changed_rows.output_tokens,
                corrected.output_tokens
            ) as corrected_output_tokens,
            coalesce(changed_rows.cost_usd + corrected.cost_usd, changed_rows.cost_usd, corrected.cost_usd)
                as corrected_cost_usd
        from changed_rows
        left join corrected on changed_rows.record_id = corrected.corrects_record_id
        where changed_rows.charge_class = 'usage'

    )
{%- endmacro %}

{# Whether a call repeats another. #}
{% macro is_retry(relation=none) -%}
    {%- set prefix = relation ~ '.' if relation else '' -%}
    (coalesce({{ prefix }}attempt > 1, false) or {{ prefix }}retry_of is not null)
{%- endmacro %}

{# The date of a row of stg_usage in the reporting timezone. In UTC it stands there already: of 20 million instants the
   date in a zone takes 5 s. #}
{% macro reporting_date(rows_relation) -%}
    {%- if var('reporting_timezone') == 'UTC' -%}
        {{ rows_relation }}.usage_date
    {%- else -%}
        {{ local_date(rows_relation ~ '.occurred_at', var('reporting_timezone')) }}
    {%- endif -%}
{%- endmacro %}
