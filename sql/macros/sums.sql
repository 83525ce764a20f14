{# Every sum is cast: sum() of BIGINT is HUGEINT in DuckDB, which Parquet keeps as DOUBLE; of DECIMAL, the width
   differs by engine. #}

{% macro sum_count(expression) -%}
    cast(sum({{ expression }}) as bigint)
{%- endmacro %}

{% macro sum_usd(expression) -%}
    cast(sum({{ expression }}) as decimal(38, 12))
{%- endmacro %}

{# The measures of every cut. #}
{% macro measures() -%}
    {{- return([
        'requests', 'failed_requests', 'unpriced_requests',
        'input_tokens', 'cache_read_tokens', 'cache_write_tokens', 'cache_write_1h_tokens',
        'output_tokens', 'reasoning_tokens', 'token_count', 'cost_usd', 'micro_usd',
    ]) -}}
{%- endmacro %}

{# Their sums, additive over any dimension. NULL where nothing in the group is known: it is not zero. #}
{% macro sum_measures() -%}
    {%- for measure in measures() %}
    {{ sum_usd(measure) if measure == 'cost_usd' else sum_count(measure) }} as {{ measure }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
