with

outcomes as (

    select * from {{ ref('int_outcome_daily') }}

),

hourly as (

    select * from {{ ref('int_usage_hourly') }}

),

histograms as (

    select * from {{ ref('int_latency_daily') }}

),

names as (

    select * from {{ ref('int_model_names') }}

),

named_outcomes as (

    {{ with_known_llm('outcomes') }}

),

named_hourly as (

    {{ with_known_llm('hourly') }}

),

named_histograms as (

    {{ with_known_llm('histograms') }}

),

counted as (

    select
        reporting_date,
        provider,
        known_llm as llm,
        {{ sum_count('requests') }} as requests,
        {{ sum_count("case when status = 'error' then requests else 0 end") }} as failed_requests,
        {{ sum_count("case when status = 'partial' then requests else 0 end") }} as partial_requests
    from named_outcomes
    group by all

),

by_hour as (

    select
        reporting_date,
        provider,
        known_llm as llm,
        reporting_hour,
        {{ sum_count('requests') }} as requests
    from named_hourly
    group by all

),

peaks as (

    select
        reporting_date,
        provider,
        llm,
        reporting_hour as peak_hour,
        requests as peak_hour_requests
    from by_hour
    qualify
        row_number() over (partition by reporting_date, provider, llm order by requests desc, reporting_hour asc) = 1

),

buckets as (

    select
        reporting_date,
        provider,
        known_llm as llm,
        measure,
        bucket,
        {{ sum_count('requests') }} as requests,
        {{ sum_count('total_ms') }} as total_ms,
        {{ sum_count('output_tokens') }} as output_tokens,
        {{ sum_count('output_ms') }} as output_ms
    from named_histograms
    where status = 'ok' and bucket is not null
    group by all

),

ranked as (

    select
        *,
        sum(requests) over (
            partition by reporting_date, provider, llm, measure
            order by bucket
            rows between unbounded preceding and current row
        ) as reached,
        sum(requests) over (partition by reporting_date, provider, llm, measure) as all_requests
    from buckets

),

timed as (

    select
        reporting_date,
        provider,
        llm,
        {{ sum_count("case when measure = 'latency_ms' then requests end") }} as timed_requests,
        {{ sum_count("case when measure = 'latency_ms' then total_ms end") }} as total_ms,
        {{ sum_count("case when measure = 'latency_ms' then output_tokens end") }} as output_tokens,
        {{ sum_count("case when measure = 'latency_ms' then output_ms end") }} as output_ms,
        {% for measure in ['latency', 'ttft'] %}
        {% for percent in [50, 90, 99] %}
        {{ quantile_bucket('0.' ~ percent, "measure = '" ~ measure ~ "_ms'") }} as {{ measure }}_p{{ percent }},
        {% endfor %}
        {% endfor %}
        {{ sum_count("case when measure = 'ttft_ms' then requests end") }} as ttft_requests
    from ranked
    group by all

),

measured as (

    select
        counted.reporting_date,
        counted.provider,
        counted.llm,
        counted.requests,
        counted.failed_requests,
        counted.partial_requests,
        {{ share('counted.failed_requests', 'counted.requests') }} as error_rate,
        peaks.peak_hour,
        peaks.peak_hour_requests,
        timed.timed_requests,
        {{ share('timed.total_ms', 'timed.timed_requests') }} as mean_latency_ms,
        {{ bucket_middle('timed.latency_p50') }} as latency_p50_ms,
        {{ bucket_middle('timed.latency_p90') }} as latency_p90_ms,
        {{ bucket_middle('timed.latency_p99') }} as latency_p99_ms,
        timed.ttft_requests,
        {{ bucket_middle('timed.ttft_p50') }} as ttft_p50_ms,
        {{ bucket_middle('timed.ttft_p90') }} as ttft_p90_ms,
        {{ bucket_middle('timed.ttft_p99') }} as ttft_p99_ms,
        1000 * {{ share('timed.output_tokens', 'timed.output_ms') }} as output_tokens_per_second
    from counted
    left join peaks
        on
            counted.reporting_date = peaks.reporting_date
            and counted.provider = peaks.provider
            and counted.llm is not distinct from peaks.llm
    left join timed
        on
            counted.reporting_date = timed.reporting_date
            and counted.provider = timed.provider
            and counted.llm is not distinct from timed.llm

)

select * from measured
