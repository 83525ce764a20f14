{# Reports as they were known at an instant: a table macro <cut>_as_of(instant) beside each cut of cost, made of the cut's
   own SQL, so that the two cannot drift apart. It adds up the rows that had been recorded by then; corrections that came
   later are left out, and a closed month shows what it showed at its close. Published with the tables.
   The engine that has no table macros has no such reports. #}

{# The post-hook of int_cost_daily. #}
{% macro create_cost_daily_as_of() %}
    {{- return(adapter.dispatch('create_cost_daily_as_of')()) -}}
{% endmacro %}

{% macro default__create_cost_daily_as_of() %}{% endmacro %}

{% macro duckdb__create_cost_daily_as_of() -%}
    create or replace macro {{ this.schema }}.cost_daily_as_of(instant) as table (
        with

        known_rows as (

            select
                *,
                {{ local_date('occurred_at', var('reporting_timezone')) }} as reporting_date,
                cast(null as varchar) as day_fingerprint
            from {{ ref('stg_usage') }}
            where recorded_at <= cast(instant as timestamptz)

        ),

        known_corrections as (

            select * from known_rows
            where charge_class = 'correction'

        ),

        corrected as (

            {{ corrections_of_calls('known_corrections') }}

        ),

        rows_of_calls as (

            {{ with_call_of_row('known_rows') }}

        ),

        aggregated as (

            {{ cost_cube('rows_of_calls') }}

        )

        select * from aggregated
    );
    comment on macro table {{ this.schema }}.cost_daily_as_of is
        'The ledger added up by everything reports of cost ask for, as it was known at an instant.'
{%- endmacro %}

{# The post-hook of every cut that is made of int_cost_daily, or of another such cut. #}
{% macro create_as_of() %}
    {{- return(adapter.dispatch('create_as_of')()) -}}
{% endmacro %}

{% macro default__create_as_of() %}{% endmacro %}

{% macro duckdb__create_as_of() -%}
    {% set query = namespace(sql=sql) %}
    {% set as_of_names = {
        'int_cost_daily': 'cost_daily',
        'int_trackable_ancestors': 'trackable_ancestors',
        'int_trackable_places': 'trackable_places',
    } %}
    {% for parent in model.depends_on.nodes %}
        {% set name = parent.split('.')[-1] %}
        {% if name in as_of_names or name.startswith('cost_per_') %}
            {% set as_of = as_of_names.get(name, name) %}
            {% set query.sql = query.sql | replace(ref(name) | string, this.schema ~ '.' ~ as_of ~ '_as_of(instant)') %}
        {% endif %}
    {% endfor %}
    {% if query.sql != sql %}
        {% set as_of = as_of_names.get(this.identifier, this.identifier) %}
        create or replace macro {{ this.schema }}.{{ as_of }}_as_of(instant) as table ({{ query.sql }});
        comment on macro table {{ this.schema }}.{{ as_of }}_as_of is
            '{{ as_of }} as it was known at an instant: rows recorded later are left out.'
    {% endif %}
{%- endmacro %}
