"""Closed columns reach a business table by a rule or not at all."""

import pytest
from pydantic import TypeAdapter, ValidationError

from slice_platform.lake.business.lineage import lineage_of
from slice_platform.lake.business.personal import NeedlessRule, Treated, leak_message, treat
from slice_platform.lake.business.tables import SourceColumn, SourceTable
from slice_platform.lake.classification import is_closed
from slice_platform.lake.personal_rule import Allow, PersonalRule
from slice_platform_tests.lake.business.sources import TABLES, TEXT, bound

CONTACTS = """
with customers as (select id, email as mail, name from curated.people)
select lower(c.mail) as contact, c.name || c.mail as label, c.id, o.note
from customers c join curated.orders o on o.person = c.id
"""
REASON = Allow(allow="support needs to call them")


def treated(sql: str, **rules: PersonalRule) -> Treated:
    model = bound(sql)
    return treat(model, lineage_of(model), rules)


def shape(found: Treated) -> dict[str, tuple[str, str | None]]:
    return {column.name: (str(column.type), column.classification) for column in found.columns}


@pytest.mark.parametrize(
    ("classification", "closed"),
    [(None, False), ("public", False), ("internal", False), ("confidential", True), ("", True), ("a+b", True)],
)
def test_a_class_is_closed_unless_it_is_known_to_be_open(classification: str | None, closed: bool) -> None:  # noqa: FBT001 -- a case
    assert is_closed(classification) is closed


def test_each_treatment_leaves_what_it_says() -> None:
    sql = "select email as a, email as b, email as c, email as d, id from curated.people"
    found = treated(sql, a="drop", b="mask", c="hash", d=REASON)
    assert found.is_clean and found.needs_key
    assert shape(found) == {
        "b": ("string", None),
        "c": ("string", None),
        "d": ("string", "confidential"),
        "id": ("integer", None),
    }


def test_a_hash_is_a_text_and_a_mask_keeps_the_type() -> None:
    sql = "select home as a, home.floor as b, email is null as c from curated.people"
    assert shape(treated(sql, a="mask", b="hash", c="mask")) == {
        "a": ("object<city: string, floor: integer>", None),
        "b": ("string", None),
        "c": ("boolean", None),
    }


def test_without_a_rule_every_leak_is_told_with_its_way() -> None:
    found = treated(CONTACTS)
    assert [leak.column for leak in found.leaks] == ["contact", "label"]
    said = leak_message(found)
    assert "'contact' (confidential): contact <- customers.mail <- curated.people.email" in said
    assert "'label' (confidential+restricted)" in said
    assert all(f"`{way}" in said for way in ("drop`", "mask`", "hash`", "allow: "))
    assert "cannot be told" not in said


def test_what_leaks_keeps_its_class_all_the_same() -> None:
    assert shape(treated(CONTACTS))["label"] == ("string", "confidential+restricted")


def test_classes_of_several_origins_are_joined_and_each_is_told_once() -> None:
    twice = SourceTable(
        "business", "twice", (SourceColumn("x", TEXT, "restricted+secret"), SourceColumn("y", TEXT, "internal"))
    )
    model = bound("select x || name || y as z from business.twice, curated.people", {**TABLES, "business.twice": twice})
    found = treat(model, lineage_of(model), {"z": REASON})
    assert shape(found) == {"z": ("string", "restricted+secret")}


def test_a_filter_by_a_closed_column_is_no_leak() -> None:
    assert treated("select count(*) as n, max(id) as m from curated.people where email like '%@a.org'").is_clean


def test_a_rule_that_nothing_needs_is_told() -> None:
    found = treated("select id, email as mail from curated.people", mail="drop", id="hash", email="mask")
    assert [needless.column for needless in found.needless] == ["id", "email"]
    assert "nothing closed reaches that column" in found.needless[0].problem
    assert found.needless[1] == NeedlessRule("email", "there is a rule for 'email', which is no column here: id, mail")
    assert not found.is_clean


def test_a_table_of_which_everything_is_dropped_is_none() -> None:
    found = treated("select email from curated.people", email="drop")
    assert found.nothing_left is not None and "every column is dropped" in found.nothing_left.problem
    assert not found.is_clean


def test_where_nothing_can_be_told_every_column_leaks_and_the_message_says_why() -> None:
    sql = "select id, i from curated.people, (select i from unnest([1]) with ordinality u(x, i))"
    found = treated(sql)
    assert [leak.column for leak in found.leaks] == ["id", "i"]
    assert "cannot be told for sure" in leak_message(found)


@pytest.mark.parametrize(
    "rule", ["keep", {"allow": "short"}, {"allow": "         x "}, {"allow": "a long reason", "by": "me"}, 1]
)
def test_a_rule_is_one_of_three_words_or_a_reason(rule: object) -> None:
    adapter: TypeAdapter[PersonalRule] = TypeAdapter(PersonalRule)
    assert adapter.validate_python({"allow": "support needs to call them"}) == REASON
    with pytest.raises(ValidationError):
        adapter.validate_python(rule)
