{# Why a cell of costs differs from what it is compared with, in USD. Volume is what it would have changed by, had it
   grown as all tokens did; price is what its tokens cost more or less than so many did before. What is left is mix. #}

{% macro volume_effect(cost, previous_cost, all_tokens, all_previous_tokens) -%}
    case
        when {{ all_previous_tokens }} = 0 then {{ cost }} - {{ previous_cost }}
        else {{ proportion(previous_cost, all_tokens ~ ' - ' ~ all_previous_tokens, all_previous_tokens) }}
    end
{%- endmacro %}

{% macro price_effect(cost, previous_cost, tokens, previous_tokens) -%}
    case
        when {{ tokens }} = 0 or {{ previous_tokens }} = 0 then 0
        else {{ cost }} - {{ proportion(previous_cost, tokens, previous_tokens) }}
    end
{%- endmacro %}
