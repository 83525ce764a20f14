{# Every sum is cast: sum() of BIGINT is HUGEINT in DuckDB, which Parquet keeps as DOUBLE; of DECIMAL, the width
   differs by engine. #}

{% macro sum_count(expression) -%}
    cast(sum({{ expression }}) as bigint)
{%- endmacro %}

{% macro sum_usd(expression) -%}
    cast(sum({{ expression }}) as decimal(38, 12))
{%- endmacro %}

{# The measures of every cut, additive over any dimension. NULL where nothing in the group is known: it is not zero. #}
{% macro sum_measures() -%}
    {%- for measure in [
        'requests', 'failed_requests', 'unpriced_requests',
        'input_tokens', 'cache_read_tokens', 'cache_write_tokens', 'cache_write_1h_tokens',
        'output_tokens', 'reasoning_tokens', 'token_count',
    ] %}
    {{ sum_count(measure) }} as {{ measure }},
    {%- endfor %}
    {{ sum_usd('cost_usd') }} as cost_usd,
    {{ sum_count('micro_usd') }} as micro_usd
{%- endmacro %}
