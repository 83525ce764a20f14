{# The day at whose end budgets stand: the variable status_date, else the ledger's last day with rows, up to today. Of the
   clock it takes no more than which days are still to come, so that the same ledger gives the same reports whenever it is
   built, and one row of a wrong clock puts nothing off. #}
{% macro status_date() -%}
    {%- if var('status_date') -%}
        least(cast('{{ var('status_date') }}' as date), {{ today() }})
    {%- else -%}
        (select max(reporting_date) from {{ ref('int_cost_daily') }} where {{ has_come('reporting_date') }})
    {%- endif -%}
{%- endmacro %}
