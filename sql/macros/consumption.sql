{# In what a row counts what was used, as FOCUS asks: tokens where it counts any, else the first of these that it counts.
   Each is counted as a whole, or in parts that add up to it. #}
{% macro other_consumed_units() -%}
    {{- return({
        'Seconds': [['audio_seconds'], ['input_audio_seconds', 'output_audio_seconds']],
        'Characters': [['input_characters']],
        'Pages': [['input_document_pages'], ['input_annotated_document_pages']],
        'Images': [['image_generations'], ['input_images']],
        'Pixels': [['input_pixels']],
        'Messages': [['input_text_messages']],
        'Searches': [['rerank_searches'], ['web_searches', 'social_searches', 'storage_searches']],
        'Sources': [['search_sources']],
        'Executions': [['code_executions']],
    }) -}}
{%- endmacro %}

{# NULL where it counts nothing. #}
{% macro consumed_unit() -%}
    case
        when token_count is not null then 'Tokens'
        when other_units is not null
            then
                case
                    {% for unit, ways in other_consumed_units().items() -%}
                    when {{ counted_quantity(ways) }} is not null then '{{ unit }}'
                    {% endfor %}
                end
    end
{%- endmacro %}

{# So many of its unit. #}
{% macro consumed_quantity() -%}
    case
        when token_count is not null then cast(token_count as decimal(38, 12))
        when other_units is not null
            then coalesce({% for ways in other_consumed_units().values() -%}
                {{ counted_quantity(ways) }}{{ ', ' if not loop.last }}
            {%- endfor %})
    end
{%- endmacro %}

{% macro counted_quantity(ways) -%}
    coalesce({% for parts in ways -%}
        {%- set counts = [] -%}
        {%- for part in parts -%}
            {%- do counts.append("try_cast(" ~ tag_value('other_units', "'" ~ part ~ "'") ~ " as decimal(38, 12))") -%}
        {%- endfor -%}
        {%- if counts | length == 1 -%}
            {{ counts[0] }}
        {%- else -%}
            case
                when coalesce({{ counts | join(', ') }}) is not null
                    then coalesce({{ counts | join(', 0) + coalesce(') }}, 0)
            end
        {%- endif -%}
        {{ ', ' }}
    {%- endfor %}null)
{%- endmacro %}
