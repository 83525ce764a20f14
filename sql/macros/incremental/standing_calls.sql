{# What a call stands at after its corrections: counts and money summed exactly, the rest as last said. In Python
   warehouse/ledger/corrections.py says the same, and a property test holds the two together. #}

{# What a model asks of standing calls is added here. #}
{% macro standing_amounts() -%}
    {{- return(['input_tokens', 'output_tokens', 'cost_usd']) -}}
{%- endmacro %}

{% macro standing_words() -%}
    {{- return(['status', 'error_type', 'pricing_status', 'assumed', 'coverage']) -}}
{%- endmacro %}

{# The CTE corrected: of each call that was corrected on a changed day what its corrections, which are few, add up to, and
   what the last of them says. #}
{% macro corrected_calls() -%}
    corrections as (

        select * from {{ ref('stg_usage') }}
        where charge_class = 'correction' and {{ in_changed_days('usage_date') }}

    ),

    corrected as (

        {{ corrections_of_calls('corrections') }}

    )
{%- endmacro %}

{% macro corrections_of_calls(corrections_relation) -%}
    select
        corrects_record_id as call_id,
        {%- for amount in standing_amounts() %}
        cast(
            sum({{ amount }}) over (partition by corrects_record_id)
            as {{ 'decimal(38, 12)' if amount == 'cost_usd' else 'bigint' }}
        ) as {{ amount }},
        {%- endfor %}
        {{ standing_words() | join(', ') }}
    from {{ corrections_relation }}
    qualify row_number() over (partition by corrects_record_id order by recorded_at desc, record_id desc) = 1
{%- endmacro %}

{# What the call of a row stands at, where the row is joined with corrected. A word may be NULL as last said; the rows may
   be corrections too. #}
{% macro standing_word(word, rows_relation) -%}
    case when corrected.call_id is null then {{ rows_relation }}.{{ word }} else corrected.{{ word }} end
{%- endmacro %}

{% macro standing_amount(amount, calls_relation) -%}
    coalesce(
        {{ calls_relation }}.{{ amount }} + corrected.{{ amount }}, {{ calls_relation }}.{{ amount }}, corrected.{{ amount }}
    )
{%- endmacro %}

{# The CTEs up to calls: the calls of the changed days, each once, as it was first sealed and, under standing_…, as its
   corrections leave it: where the rest of a stream that had broken off came later, it is ok. #}
{% macro standing_calls() -%}
    {{ changed_rows() }},

    {{ corrected_calls() }},

    calls as (

        select
            changed_rows.*,
            {%- for amount in standing_amounts() %}
            {{ standing_amount(amount, 'changed_rows') }} as standing_{{ amount }},
            {%- endfor %}
            {%- for word in standing_words() %}
            {{ standing_word(word, 'changed_rows') }} as standing_{{ word }},
            {%- endfor %}
            {{ is_retry('changed_rows') }} as is_retry
        from changed_rows
        left join corrected on changed_rows.record_id = corrected.call_id
        where changed_rows.charge_class = 'usage'

    )
{%- endmacro %}

{# The CTEs up to rows_of_calls: all rows of the changed days, so that they hold the ledger once; corrections go with the
   call they correct, under its call_id and standing words. #}
{% macro rows_of_standing_calls() -%}
    {{ changed_rows() }},

    {{ corrected_calls() }},

    rows_of_calls as (

        {{ with_call_of_row('changed_rows') }}

    )
{%- endmacro %}

{% macro with_call_of_row(rows_relation) -%}
    select
        {{ rows_relation }}.*,
        coalesce({{ rows_relation }}.corrects_record_id, {{ rows_relation }}.record_id) as call_id,
        {%- for word in standing_words() %}
        {{ standing_word(word, rows_relation) }} as standing_{{ word }},
        {%- endfor %}
        {{ is_retry(rows_relation) }} as is_retry
    from {{ rows_relation }}
    left join corrected
        on coalesce({{ rows_relation }}.corrects_record_id, {{ rows_relation }}.record_id) = corrected.call_id
{%- endmacro %}
