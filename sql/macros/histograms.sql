{# Additive histograms: eight buckets for each doubling, so that the middle of a bucket is within 2^(1/16) - 1 = 4.43 % of
   every value in it. Values are whole and not negative; 0 has bucket -1 to itself,
   and what is unknown none. #}

{% macro log_bucket(value) -%}
    case when {{ value }} > 0 then cast(floor({{ log_position(value) }}) as bigint) when {{ value }} = 0 then -1 end
{%- endmacro %}

{# Where in the row of buckets a value lies, as a DOUBLE. #}
{% macro log_position(value) -%}
    8 * ln(cast({{ value }} as double)) / ln(2)
{%- endmacro %}

{# The geometric middle of a bucket. #}
{% macro bucket_middle(bucket) -%}
    case when {{ bucket }} >= 0 then power(2, ({{ bucket }} + 0.5) / 8) when {{ bucket }} = -1 then 0 end
{%- endmacro %}

{# A quantile of a group by nearest rank: the middle of the first bucket that so large a part of all calls reaches.
   The rows grouped are buckets with `reached`, the calls up to and in the bucket, and `all_requests`. #}
{% macro quantile_bucket(quantile, condition='true') -%}
    min(case when {{ condition }} and reached >= {{ quantile }} * all_requests then bucket end)
{%- endmacro %}
