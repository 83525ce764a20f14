-- A call recorded before the catalogue knew its model has no price that says which it was: llm is then the name the
-- provider has for it. Here is which model calls of that name were, where they had a price.
{{ config(materialized='table') }}

with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

aggregated as (

    select
        provider,
        model as model_name,
        max(llm) as llm
    from daily
    where cost_usd is not null and model is not null
    group by all

)

select * from aggregated
