-- A check that could not be made tells nothing of the service, so it counts neither way. A service of several monitors or
-- endpoints is as available as the share of their checks that found it up. Latencies are those of the nearest rank: a value
-- that was measured, and the same in every engine.
select
    day,
    service,
    count(status) as checks,
    count(case when status = 'up' then 1 end) as up,
    (100.0 * count(case when status = 'up' then 1 end) / count(status))::decimal(6, 3) as availability_percent,
    min(case when status = 'up' and 100 * place >= 50 * places then latency_ms end) as latency_p50_ms,
    min(case when status = 'up' and 100 * place >= 95 * places then latency_ms end) as latency_p95_ms
from (
    select
        checked_at::date as day,
        service,
        status,
        latency_ms,
        row_number() over (partition by checked_at::date, service, status order by latency_ms) as place,
        count(status) over (partition by checked_at::date, service, status) as places
    from curated.uptime
    where checked_at >= $partition_start and checked_at < $partition_end and status <> 'unknown'
) as ranked
group by day, service
