-- Open today is open yesterday and opened less closed: what was found and fixed on one day counts in both. What became
-- excepted is closed here, and an exception that has expired opens it again.
select
    day,
    policy,
    max(severity) as severity,
    count(case when opened_at::date = day then 1 end) as opened,
    count(case when closed_at::date = day then 1 end) as closed,
    count(case when status = 'open' then 1 end) as open_at_end,
    count(case when status = 'excepted' then 1 end) as excepted,
    count(case when status = 'failed' then 1 end) as looks_failed
from curated.custodian_findings
where day >= $partition_start and day < $partition_end
group by day, policy
