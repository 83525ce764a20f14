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
