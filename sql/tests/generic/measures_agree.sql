{# A cut's measures contradict one another nowhere: parts are within their wholes, and money is known or unknown in both
   its forms. #}
{% test measures_agree(model) %}

select *
from {{ model }}
where
    not coalesce(failed_requests between 0 and requests, false)
    or not coalesce(unpriced_requests between 0 and requests, false)
    or coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0) > coalesce(input_tokens, 0)
    or (cost_usd is null) <> (micro_usd is null)

{% endtest %}
