-- Planes that left the register, or never were in it, keep their flights: what is known of them is then NULL.
select
    date_trunc('month', flights.time_hour)::date as month,
    flights.tailnum,
    count(*) as flights,
    count(distinct flights.time_hour::date) as days_in_use,
    sum(flights.air_time)::bigint as minutes_in_air,
    sum(flights.distance)::bigint as miles,
    max(planes.seats) as seats,
    max(planes.year) as built_in
from curated.flights as flights
left join curated.planes as planes on planes.tailnum = flights.tailnum
where flights.time_hour >= $partition_start and flights.time_hour < $partition_end
    and flights.tailnum is not null
    and flights.dep_time is not null
group by date_trunc('month', flights.time_hour)::date, flights.tailnum
