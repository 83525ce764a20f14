{{ config(materialized='table', post_hook='{{ create_as_of() }}') }}

with recursive

daily as (

    select * from {{ ref('int_cost_daily') }}

),

-- Only what calls are held by has ancestors to ask for: a submission that names its assignment needs no more than that.
holders as (

    select distinct
        tenant,
        holder_type,
        holder_id
    from daily

),

-- The parent a thing was last said to have, of each day on which it was said to have one.
named as (

    select
        daily.tenant,
        daily.trackable_type,
        daily.trackable_id,
        daily.usage_date,
        daily.trackable_parent_type,
        daily.trackable_parent_id
    from daily
    inner join holders
        on
            daily.trackable_type = holders.holder_type
            and daily.trackable_id = holders.holder_id
            and daily.tenant is not distinct from holders.tenant
    where daily.trackable_type <> daily.trackable_parent_type or daily.trackable_id <> daily.trackable_parent_id
    qualify
        row_number() over (
            partition by daily.tenant, daily.trackable_type, daily.trackable_id, daily.usage_date
            order by daily.last_occurred_at desc, daily.trackable_parent_type asc, daily.trackable_parent_id asc
        ) = 1

),

with_previous as (

    select
        *,
        lag(trackable_parent_type) over of_the_thing as previous_type,
        lag(trackable_parent_id) over of_the_thing as previous_id
    from named
    window of_the_thing as (partition by tenant, trackable_type, trackable_id order by usage_date asc)

),

moves as (

    select * from with_previous
    where
        previous_type is null
        or previous_type <> trackable_parent_type
        or previous_id <> trackable_parent_id

),

things as (

    select
        tenant,
        trackable_type,
        trackable_id
    from moves
    union
    select
        tenant,
        trackable_parent_type as trackable_type,
        trackable_parent_id as trackable_id
    from moves

),

numbered as (

    select
        *,
        cast(row_number() over (order by tenant, trackable_type, trackable_id) as integer) as thing
    from things

),

-- The first parent that was named counts for the time before, so whatever has a parent has one on every date.
links as (

    select
        children.thing,
        parents.thing as parent,
        case
            when row_number() over of_the_child = 1 then cast('0001-01-01' as date) else moves.usage_date
        end as valid_from,
        coalesce(lead(moves.usage_date) over of_the_child, cast('9999-12-31' as date)) as valid_to
    from moves
    inner join numbered as children
        on
            moves.trackable_type = children.trackable_type
            and moves.trackable_id = children.trackable_id
            and moves.tenant is not distinct from children.tenant
    inner join numbered as parents
        on
            moves.trackable_parent_type = parents.trackable_type
            and moves.trackable_parent_id = parents.trackable_id
            and moves.tenant is not distinct from parents.tenant
    window of_the_child as (partition by children.thing order by moves.usage_date asc)

),

linked as (

    select distinct thing from links

),

-- Up from each thing, to the top or to where the way comes back to a thing it has passed.
ways as (

    select
        thing,
        parent as ancestor,
        valid_from,
        valid_to,
        cast(1 as integer) as distance,
        {{ list_of(['thing', 'parent']) }} as passed,
        cast(null as integer) as circle_from
    from links
    union all
    select
        ways.thing,
        links.parent as ancestor,
        greatest(ways.valid_from, links.valid_from) as valid_from,
        least(ways.valid_to, links.valid_to) as valid_to,
        ways.distance + 1 as distance,
        {{ with_last('ways.passed', 'links.parent') }} as passed,
        case
            when array_contains(ways.passed, links.parent)
                then cast(array_position(ways.passed, links.parent) - 1 as integer)
        end as circle_from
    from ways
    inner join links
        on
            ways.ancestor = links.thing
            and ways.valid_from < links.valid_to
            and ways.valid_to > links.valid_from
    where ways.circle_from is null

),

ancestors as (

    select
        things.tenant,
        things.trackable_type,
        things.trackable_id,
        ways.valid_from,
        ways.valid_to,
        ways.distance,
        ancestors.trackable_type as ancestor_type,
        ancestors.trackable_id as ancestor_id,
        ways.circle_from,
        ways.circle_from is not null or linked.thing is null as is_end
    from ways
    inner join numbered as things on ways.thing = things.thing
    inner join numbered as ancestors on ways.ancestor = ancestors.thing
    left join linked on ways.ancestor = linked.thing

)

select * from ancestors
