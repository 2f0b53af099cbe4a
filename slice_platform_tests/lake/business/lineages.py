"""Models, and what each of their columns is made of: P is curated.people, O curated.orders, D business.Daily."""

from slice_platform.lake.business.tables import Origin

Expected = dict[str, frozenset[Origin]]

_TABLES = {"P": "curated.people", "O": "curated.orders", "D": "business.Daily"}
_MODELS = """
-- names and expressions

select email as contact from curated.people
=> contact: P.email

select email || name as a, lower(email) as b, 1 as c from curated.people
=> a: P.email P.name; b: P.email; c:

select email.lower().trim() as a, email[1:3] as b, f.x as c from (select *, {'x': name} as f from
curated.people)
=> a: P.email; b: P.email; c: P.name

select case when id = 1 then name else 'x' end as a, coalesce(name, email) as b, id in (1, 2) as c from
curated.people
=> a: P.id P.name; b: P.name P.email; c: P.id

select email as b, upper(b) as c, c || id as d from curated.people
=> b: P.email; c: P.email; d: P.email P.id

select email is null as a, email between 'a' and name as b, name like 'x%' as c from curated.people
=> a: P.email; b: P.email P.name; c: P.name

-- stars

select * from curated.people
=> id: P.id; email: P.email; name: P.name; home: P.home; tags: P.tags; joined_at: P.joined_at

from curated.people
=> id: P.id; email: P.email; name: P.name; home: P.home; tags: P.tags; joined_at: P.joined_at

select * exclude (email, home, joined_at) replace (upper(email) as name) rename (tags as labels) from
curated.people
=> id: P.id; name: P.email; labels: P.tags

select columns('e?mail|name') from curated.people
=> email: P.email; name: P.name

select columns(lambda c: c in ('email', 'name')) || id as 'x_\\0' from curated.people
=> x_email: P.email P.id; x_name: P.name P.id

select coalesce(*columns(['email', 'name'])) as a from curated.people
=> a: P.email P.name

select o.* like 'n%', p.email from curated.people p, curated.orders o
=> note: O.note; email: P.email

-- structs, lists and whole rows

select home.city, home['floor'] as f, struct_extract(home, 'city') as g from curated.people
=> city: P.home; f: P.home; g: P.home

select p from curated.people p
=> p: P.id P.email P.name P.home P.tags P.joined_at

select to_json(p) as j, struct_pack(a := email) as s, {'b': [name]} as t from curated.people p
=> j: P.id P.email P.name P.home P.tags P.joined_at; s: P.email; t: P.name

select p.home.city as c, curated.people.name as n from curated.people p, curated.people
=> c: P.home; n: P.name

select unnest(tags) as t, unnest(home) from curated.people
=> t: P.tags; city: P.home; floor: P.home

select id, t from curated.people, unnest(tags) u(t)
=> id: P.id; t: P.tags

select id, t, i from curated.people, unnest(tags) with ordinality u(t, i)
=> id: P.id; t: P.tags; i: P.tags

select u.x, v.y from curated.people, unnest(tags) u(x), unnest([email]) v(y)
=> x: P.tags; y: P.email

select id, g from curated.orders, generate_series(1, person) s(g)
=> id: O.id; g: O.person

select j.key as k, j.value as v from curated.people p, json_each(to_json({'e': email})) j
=> k: P.email; v: P.email

select list_transform(tags, lambda x: x || name) as a, [z || email for z in tags if z <> name] as b from
curated.people
=> a: P.tags P.name; b: P.tags P.email P.name

select list_transform(tags, lambda x: list_transform([email], lambda y: x || y || name)) as a from
curated.people
=> a: P.tags P.email P.name

-- aggregates and windows

select name, count(*) as n, count(email) as e, max(id) filter (where email > 'm') as f, list(id order by
joined_at) as l from curated.people where home is not null group by name having min(tags) is not null
=> name: P.name; n:; e: P.email; f: P.id P.email; l: P.id P.joined_at

select name, first(email) as e, arg_max(id, joined_at) as a from curated.people group by all
=> name: P.name; e: P.email; a: P.id P.joined_at

select note, person, max(amount) as m, grouping(note) as g from curated.orders group by rollup (note, person)
=> note: O.note; person: O.person; m: O.amount; g:

select row_number() over (partition by email order by joined_at) as r, lag(name, 1, note) over (order by amount)
as l, max(o.id) filter (where note > 'm') over () as m, sum(amount) over (order by o.id rows between person
preceding and current row) as s from curated.people p, curated.orders o
=> r: P.email P.joined_at; l: P.name O.note O.amount; m: O.id O.note; s: O.amount O.id O.person

select first_value(name) over w as f from curated.people window w as (partition by email order by id)
=> f: P.name P.email P.id

select id from curated.people qualify row_number() over (partition by email order by name) = 1
=> id: P.id

-- inner queries

with customers as (select id, lower(email) as mail from curated.people) select mail as contact from customers
=> contact: P.email

with a(x, y) as (select email, name from curated.people), b as (select y as x, x as y from a) select x, y from b
=> x: P.name; y: P.email

with email as (select name as id from curated.people) select id from email
=> id: P.name

select x from (select y as x from (select email as y, name as x from curated.people))
=> x: P.email

select a.n, b.n as m from (select name as n from curated.people) a, (select note as n from curated.orders) b
=> n: P.name; m: O.note

select (select max(email) from curated.people) as a, id from curated.orders
=> a: P.email; id: O.id

select (select max(email) from curated.people p where p.id = o.person) as a from curated.orders o
=> a: P.email

select (select p.name || o.note from curated.people p where p.id = o.person) as a from curated.orders o
=> a: P.name O.note

select array(select email from curated.people p where p.id = o.person) as a from curated.orders o
=> a: P.email

select person in (select id from curated.people where email > 'm') as a, note = any(select name from
curated.people) as b from curated.orders
=> a: O.person P.id P.email; b: O.note P.name

select exists (select 1 from curated.people where email > 'm') as a, count(*) as n from curated.orders
=> a:; n:

select l.x, o.id from curated.orders o, lateral (select p.email || o.note as x from curated.people p where p.id
= o.id) l
=> x: P.email O.note; id: O.id

with recursive r as (select id, email as e, 1 as n from curated.people union all select r.id, e || p.name, n + 1
from r join curated.people p on p.id = r.id where n < 3) select * from r
=> id: P.id; e: P.email P.name; n:

with recursive r as (select email as a, name as b, 1 as n from curated.people union all select b, a, n + 1 from
r where n < 3) select a, b from r
=> a: P.email P.name; b: P.email P.name

select u.v from curated.orders o, unnest([exists (select 1 from curated.people p where p.id >
o.person)::varchar, note]) u(v)
=> v: P.id O.person O.note

-- joins

select p.name, o.note from curated.people p left join curated.orders o on p.id + o.id > 3 or p.email > o.note
=> name: P.name; note: O.note

select o.id, (select max(p.email) from curated.people p where p.id + o.id > 3) as m from curated.orders o
=> id: O.id; m: P.email

select p.id, o.id as o from curated.people p left join curated.orders o on o.person = p.id and p.email > o.note
=> id: P.id; o: O.id

select id, note, email from curated.people join (select person as id, note from curated.orders) using (id)
=> id: P.id; note: O.note; email: P.email

select id from curated.people full join curated.orders using (id)
=> id: P.id O.id

select id from curated.people right join curated.orders using (id)
=> id: O.id

select id, person from curated.people natural join curated.orders
=> id: P.id; person: O.person

select p.name from curated.people p semi join curated.orders o on o.person = p.id
=> name: P.name

select p.name from curated.people p anti join curated.orders o on o.person = p.id
=> name: P.name

select name, note from curated.people p asof join curated.orders o on p.id >= o.person
=> name: P.name; note: O.note

select name, note from curated.people positional join curated.orders
=> name: P.name; note: O.note

-- sets of rows

select email as a, name as b from curated.people union all select visitor, 'x' from business.daily
=> a: P.email D.visitor; b: P.name

select id, email as a from curated.people union by name select visitor as b, note as a from curated.orders,
business.daily
=> id: P.id; a: P.email O.note; b: D.visitor

select email as a from curated.people intersect select note from curated.orders
=> a: P.email O.note

select email as a from curated.people except select note from curated.orders
=> a: P.email

select distinct on (name) id, email from curated.people order by name, joined_at limit 2
=> id: P.id; email: P.email

from (select id, name, email from curated.people) pivot (max(email) for name in ('a', 'b'))
=> id: P.id; a: P.email P.name; b: P.email P.name

select id, k, v from (select id, email, name from curated.people) unpivot (v for k in (email, name))
=> id: P.id; k:; v: P.email P.name

select a, b from (values (1, 'x'), (2, 'y')) t(a, b)
=> a:; b:

select v.a from curated.people p, lateral (values (p.email), (p.name)) v(a)
=> a: P.email P.name
"""


def lineages() -> list[tuple[str, Expected]]:
    """Each model with the origins of its columns."""
    blocks = [block for block in _MODELS.strip().split("\n\n") if not block.startswith("--")]
    return [(sql, _expected(made)) for sql, made in (block.split("\n=> ") for block in blocks)]


def origins(written: str) -> frozenset[Origin]:
    parts = [word.split(".") for word in written.split()]
    return frozenset(Origin(_TABLES[table], column) for table, column in parts)


def _expected(made: str) -> Expected:
    columns = [column.split(":") for column in made.split(";")]
    return {name.strip(): origins(written) for name, written in columns}
