{# The day at whose end budgets stand: the variable status_date, else the ledger's last day with rows. Never the clock, so
   that the same ledger gives the same reports whenever it is built. #}
{% macro status_date() -%}
    {%- if var('status_date') -%}
        cast('{{ var('status_date') }}' as date)
    {%- else -%}
        (select max(reporting_date) from {{ ref('int_cost_daily') }})
    {%- endif -%}
{%- endmacro %}
