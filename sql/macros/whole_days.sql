{# What is compared with what was usual, or with another period, is whole days. One rule for every model that does: a day is
   whole once it is over by the clock, or where the variable status_date says that reports stand at its end. Today's calls
   are in every sum; but they make no low day, no forecast and no week that has cost less than the one before. #}
{% macro is_whole(date) -%}
    (
        {{ date }} < {{ today() }}
        {%- if var('status_date') %}
        or {{ date }} <= least(cast('{{ var('status_date') }}' as date), {{ today() }})
        {%- endif %}
    )
{%- endmacro %}

{# The last whole day, of reports that stand at status_date. #}
{% macro last_whole_date(status_date) -%}
    case when {{ is_whole(status_date) }} then {{ status_date }} else {{ date_after(status_date, -1, 'day') }} end
{%- endmacro %}
