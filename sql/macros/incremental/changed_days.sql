{# A model that is built by changed day carries usage_date and day_fingerprint. A day is changed when these are not the
   pair that ledger.segments holds now: it is new, late rows came, segments were swapped, the reporting timezone moved.
   Both macros look at the same two tables, so a crash between them only leaves days out, which the next build adds. #}

{# The pre-hook: removes what is no longer true, days that are now empty or gone included. #}
{% macro delete_changed_days() %}
    {% if is_incremental() %}
        delete from {{ this }} as built
        where not exists (
            select 1
            from {{ source('ledger', 'segments') }} as segments
            where
                segments.usage_date = built.usage_date
                and segments.fingerprint = built.day_fingerprint
        )
    {% endif %}
{% endmacro %}

{# The condition that selects the days to build. They are spelled out, not joined, so that the engine can skip every
   other file when it plans (1 of 30 days: 0.16 s, with a join 0.53 s), and reads nothing at all when no day changed. #}
{% macro in_changed_days(column) %}
    {%- if is_incremental() -%}
        {%- set query -%}
            select segments.usage_date
            from {{ source('ledger', 'segments') }} as segments
            left join (select distinct usage_date, day_fingerprint from {{ this }}) as built
                on segments.usage_date = built.usage_date and segments.fingerprint = built.day_fingerprint
            where segments.row_count > 0 and built.usage_date is null
            order by segments.usage_date
        {%- endset -%}
        {%- set days = run_query(query).columns[0].values() -%}
        {%- if days -%}
            {{ column }} in ({% for day in days %}cast('{{ day }}' as date){{ ', ' if not loop.last }}{% endfor %})
        {%- else -%}
            false
        {%- endif -%}
    {%- else -%}
        true
    {%- endif -%}
{% endmacro %}

{# Whether this build reads every row anyway. #}
{% macro is_full_refresh() %}
    {{- return(flags.FULL_REFRESH) -}}
{% endmacro %}
