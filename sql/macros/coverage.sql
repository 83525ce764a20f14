{# How far a call is covered by prices, each call in one of these: priced, estimated, provider_reported, unpriced (a price is
   missing) or failed (it ended in an error and used nothing: there is no price to have). What was assumed for it says
   assumed. In Python: UNPRICED_REQUESTS of warehouse/ledger/segments.py. #}
{% macro coverage() -%}
    case
        when pricing_status = 'unpriced' and status = 'error' and token_count is null and other_units is null
            then 'failed'
        else pricing_status
    end
{%- endmacro %}
