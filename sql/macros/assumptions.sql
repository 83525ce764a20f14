{# The words of price_assumptions, as the record path writes them; a test holds this list and the tracker's together. #}
{% macro assumption_words() -%}
    {{- return([
        'tokens_from_text',
        'totals_disagree',
        'split_assumed',
        'standard_rate_for',
        'factor_for',
        'unpriced_unit',
        'rate_before_its_start',
        'other_sellers_price',
        'undated_price',
    ]) -}}
{%- endmacro %}

{# Which of the words a row's price_assumptions hold, in that order; NULL where nothing was assumed. What they concern is
   left out: it may differ from call to call. Rows of before there were words are streams that had told no usage. #}
{% macro assumed(price_assumptions, pricing_status) -%}
    case
        when {{ price_assumptions }} is not null
            then
                concat_ws(
                    ', ',
                    {%- for word in assumption_words() %}
                    case when {{ price_assumptions }} like '%{"{{ word }}":%' then '{{ word }}' end{{ ',' if not loop.last }}
                    {%- endfor %}
                )
        when {{ pricing_status }} = 'estimated' then 'tokens_from_text'
    end
{%- endmacro %}
