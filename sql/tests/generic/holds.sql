{# The expression is true on every row. Unknown (NULL) fails too. #}
{% test holds(model, expression) %}

select *
from {{ model }}
where not coalesce({{ expression }}, false)

{% endtest %}
