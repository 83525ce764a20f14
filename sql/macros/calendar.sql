{# Between which dates a calendar may list every day. Calls beyond them, of a clock that was never set or a year mistyped,
   have their own day and no others: from the year 1 on there would be 740,000. #}
{% macro is_of_our_time(date) -%}
    {{ date }} between cast('2000-01-01' as date) and cast('2099-12-31' as date)
{%- endmacro %}

{# Whether a date has come: what is counted up to now goes up to the last such day. Later ones are of a wrong clock. #}
{% macro has_come(date) -%}
    {{ date }} between cast('2000-01-01' as date) and {{ today() }}
{%- endmacro %}

{# Today, where the reports are read: the variable today, else by the engine's clock. #}
{% macro today() -%}
    {%- if var('today') -%}
        cast('{{ var('today') }}' as date)
    {%- else -%}
        {{ local_date('current_timestamp', var('reporting_timezone')) }}
    {%- endif -%}
{%- endmacro %}
