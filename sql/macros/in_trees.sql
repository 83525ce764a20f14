{# The rows of a CTE with the place of their things in the trees: the trackable_root that a tree's cost rolls up to; and the
   assignment they count for, the outermost one that they belong to, with its tenant, both NULL where there is none.
   The CTE places holds int_trackable_places, which has only what lies below something: all else is a tree by itself. #}
{% macro in_trees(rows_relation, own_assignment_id="case when trackable_type = 'Assignment' then trackable_id end") -%}
    select
        *,
        case when assignment_id is not null then tenant end as assignment_tenant
    from (
        select
            {{ rows_relation }}.*,
            coalesce(places.root_type, holder_type) as trackable_root_type,
            coalesce(places.root_id, holder_id) as trackable_root_id,
            coalesce(
                places.assignment_id,
                case when holder_type = 'Assignment' then holder_id end,
                {{ own_assignment_id }}
            ) as assignment_id
        from {{ rows_relation }}
        left join places
            on
                {{ rows_relation }}.holder_type = places.thing_type
                and {{ rows_relation }}.holder_id = places.thing_id
                and {{ rows_relation }}.tenant is not distinct from places.thing_tenant
                and {{ rows_relation }}.usage_date >= places.valid_from
                and {{ rows_relation }}.usage_date < places.valid_to
    ) as placed
{%- endmacro %}
