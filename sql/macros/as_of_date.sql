{# The day at whose end budgets stand: the variable as_of, else the ledger's last day with rows. Never the clock, so that
   the same ledger gives the same reports whenever it is built. #}
{% macro as_of_date() -%}
    {%- if var('as_of') -%}
        cast('{{ var('as_of') }}' as date)
    {%- else -%}
        (select max(reporting_date) from {{ ref('int_cost_daily') }})
    {%- endif -%}
{%- endmacro %}
