select
    date_trunc('month', flights.time_hour)::date as month,
    flights.origin as airport,
    count(*) as flights,
    count(case when flights.dep_time is null then 1 end) as cancelled,
    round(avg(flights.dep_delay::double), 2) as mean_departure_delay,
    round(avg(case when weather.precip > 0 then flights.dep_delay::double end), 2) as mean_departure_delay_in_rain,
    count(case when weather.precip > 0 then 1 end) as flights_in_rain,
    count(case when weather.origin is null then 1 end) as flights_without_weather
from curated.flights as flights
left join (
    select origin, time_hour, precip
    from curated.weather
    where time_hour >= $partition_start and time_hour < $partition_end
) as weather on weather.origin = flights.origin and weather.time_hour = flights.time_hour
where flights.time_hour >= $partition_start and flights.time_hour < $partition_end
group by date_trunc('month', flights.time_hour)::date, flights.origin
