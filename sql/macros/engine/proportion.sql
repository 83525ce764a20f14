{# amount * numerator / denominator in USD, cut off after 12 places. DuckDB divides decimals as DOUBLE, so there it is
   done in whole millionths of a millionth: exact up to 10^26 USD times tokens. #}
{% macro proportion(amount, numerator, denominator) %}
    {{- return(adapter.dispatch('proportion')(amount, numerator, denominator)) -}}
{% endmacro %}

{% macro duckdb__proportion(amount, numerator, denominator) -%}
    cast(
        cast(
            cast({{ amount }} * 1000000000000 as hugeint) * ({{ numerator }}) // ({{ denominator }})
            as decimal(38, 0)
        ) * cast(0.000000000001 as decimal(12, 12))
        as decimal(38, 12)
    )
{%- endmacro %}

{% macro spark__proportion(amount, numerator, denominator) -%}
    cast({{ amount }} * ({{ numerator }}) / ({{ denominator }}) as decimal(38, 12))
{%- endmacro %}
