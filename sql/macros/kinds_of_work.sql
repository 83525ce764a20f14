{# Which calls grade and which write a rubric. #}

{% macro is_grading() -%}
    request_type in ({{ quoted_list(var('grading_request_types')) }})
{%- endmacro %}

{% macro is_rubric() -%}
    request_type in ({{ quoted_list(var('rubric_request_types')) }})
{%- endmacro %}

{# Whether what the calls were made for is itself a submission or a rubric, and counts once however often it was called for. #}
{% macro is_unit() -%}
    work_kind = 'grading' and trackable_type in ({{ quoted_list(var('submission_types')) }})
    or work_kind = 'rubric' and trackable_type in ({{ quoted_list(var('rubric_types')) }})
{%- endmacro %}
