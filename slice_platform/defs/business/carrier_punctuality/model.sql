-- Late is what arrives a quarter of an hour after its time or later, as the FAA counts. A flight that was cancelled or
-- diverted did not arrive, so it is not on time.
select
    time_hour::date as day,
    carrier,
    count(*) as flights,
    count(case when dep_time is null then 1 end) as cancelled,
    count(case when arr_delay < 15 then 1 end) as on_time,
    (100.0 * count(case when arr_delay < 15 then 1 end) / count(*))::decimal(5, 2) as on_time_percent,
    round(avg(arr_delay::double), 2) as mean_arrival_delay
from curated.flights
where time_hour >= $partition_start and time_hour < $partition_end
group by time_hour::date, carrier
