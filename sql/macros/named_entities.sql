{# The CTEs that give the entities of a ledger their names: of in_ledger and named, each by <entity>_id and tenant, they make
   all_named. Entities that have a name and no calls are in it too. #}
{% macro named_entities(entity) -%}
    {%- set id, name = entity ~ '_id', entity ~ '_name' -%}
    -- A name given for a tenant goes before one given for all of them.
    known as (

        select
            in_ledger.{{ id }},
            in_ledger.tenant,
            coalesce(of_tenant.{{ name }}, of_all.{{ name }}) as {{ name }},
            in_ledger.first_reporting_date,
            in_ledger.last_reporting_date
        from in_ledger
        left join named as of_tenant
            on
                in_ledger.{{ id }} = of_tenant.{{ id }}
                and in_ledger.tenant = of_tenant.tenant
        left join named as of_all
            on
                in_ledger.{{ id }} = of_all.{{ id }}
                and of_all.tenant is null

    ),

    without_calls as (

        select
            named.{{ id }},
            named.tenant,
            named.{{ name }},
            cast(null as date) as first_reporting_date,
            cast(null as date) as last_reporting_date
        from named
        left join in_ledger
            on
                named.{{ id }} = in_ledger.{{ id }}
                and (named.tenant = in_ledger.tenant or named.tenant is null)
        where in_ledger.{{ id }} is null

    ),

    all_named as (

        select * from known
        union all
        select * from without_calls

    )
{%- endmacro %}
