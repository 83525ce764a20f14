{{ config(materialized='table', post_hook='{{ create_as_of() }}') }}

with

ancestors as (

    select * from {{ ref('int_trackable_ancestors') }}

),

ways as (

    select
        tenant,
        trackable_type,
        trackable_id,
        valid_from,
        valid_to,
        coalesce(circle_from, distance) as top_from
    from ancestors
    where is_end

),

-- What a way passes: the thing itself, and each ancestor once.
passed as (

    select
        tenant,
        trackable_type,
        trackable_id,
        valid_from,
        valid_to,
        0 as distance,
        trackable_type as ancestor_type,
        trackable_id as ancestor_id
    from ways
    union all
    select
        tenant,
        trackable_type,
        trackable_id,
        valid_from,
        valid_to,
        distance,
        ancestor_type,
        ancestor_id
    from ancestors
    where circle_from is null

),

-- Of what belongs to each other in a circle, the first by its type and id counts as the top of all.
ranked as (

    select
        ways.tenant,
        ways.trackable_type,
        ways.trackable_id,
        ways.valid_from,
        ways.valid_to,
        passed.ancestor_type,
        passed.ancestor_id,
        row_number() over (
            partition by ways.tenant, ways.trackable_type, ways.trackable_id, ways.valid_from
            order by least(passed.distance, ways.top_from) desc, passed.ancestor_type asc, passed.ancestor_id asc
        ) as place,
        row_number() over (
            partition by
                ways.tenant, ways.trackable_type, ways.trackable_id, ways.valid_from, passed.ancestor_type
            order by least(passed.distance, ways.top_from) desc, passed.ancestor_id asc
        ) as place_of_type
    from ways
    inner join passed
        on
            ways.trackable_type = passed.trackable_type
            and ways.trackable_id = passed.trackable_id
            and ways.tenant is not distinct from passed.tenant
            and ways.valid_from >= passed.valid_from
            and ways.valid_to <= passed.valid_to

),

places as (

    select
        tenant as thing_tenant,
        trackable_type as thing_type,
        trackable_id as thing_id,
        valid_from,
        valid_to,
        max(case when place = 1 then ancestor_type end) as root_type,
        max(case when place = 1 then ancestor_id end) as root_id,
        max(case when ancestor_type = 'Assignment' and place_of_type = 1 then ancestor_id end) as assignment_id
    from ranked
    group by tenant, trackable_type, trackable_id, valid_from, valid_to

)

select * from places
