{# What a cost was at list price: without a discount of one's own, and with the fee of one's own that came on top of it. #}
{% macro list_cost(cost, percent, fee) -%}
    cast({{ before_discount('(' ~ cost ~ ' - ' ~ fee ~ ')', percent) }} + {{ fee }} as decimal(38, 12))
{%- endmacro %}
