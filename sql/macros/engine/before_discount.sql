{# What an amount in USD was before so many percent were taken off, to 12 places; itself where nothing was left of it. #}
{% macro before_discount(amount, percent) %}
    {{- return(adapter.dispatch('before_discount')(amount, percent)) -}}
{% endmacro %}

{# DuckDB divides decimals as DOUBLE, so it is done in whole millionths of a percent, half up: exact up to 10^17 USD. #}
{% macro duckdb__before_discount(amount, percent) -%}
    {%- set kept = 'cast((100 - ' ~ percent ~ ') * 1000000 as hugeint)' -%}
    case
        when {{ percent }} >= 100 then cast({{ amount }} as decimal(38, 12))
        else cast(
            cast(
                sign({{ amount }}) * (
                    (cast(abs({{ amount }}) * 1000000000000 as hugeint) * 100000000 + {{ kept }} // 2) // {{ kept }}
                )
                as decimal(38, 0)
            ) * cast(0.000000000001 as decimal(12, 12))
            as decimal(38, 12)
        )
    end
{%- endmacro %}

{% macro spark__before_discount(amount, percent) -%}
    case
        when {{ percent }} >= 100 then cast({{ amount }} as decimal(38, 12))
        else cast({{ amount }} * 100 / (100 - {{ percent }}) as decimal(38, 12))
    end
{%- endmacro %}
