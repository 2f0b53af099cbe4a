"""Whatever an account looks like: nothing in use goes, the newest stay, and what is left is bounded."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from slice_platform.ops.ami.account import Group, Image, Instance, TemplateVersion
from slice_platform.ops.ami.pruning import IMAGE, SNAPSHOT, VERSION, Stock, prune_changes
from slice_platform.ops.plan import Change

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
STATES = st.sampled_from(["available", "available", "available", "pending", "failed"])


def image(number: int, state: str = "available") -> Image:
    made = FIRST + timedelta(days=number)
    return Image(f"ami-{number}", f"web {number}", state, made, {"commit": f"c{number}"}, (f"snap-{number}",), "{}")


def version(number: int, of_image: int | None, *, is_default: bool = False, template: str = "web") -> TemplateVersion:
    image_id = None if of_image is None else f"ami-{of_image}"
    return TemplateVersion(f"lt-{template}", template, number, image_id, is_default, "", "{}")


def instance(number: int, of_image: int, state: str = "running") -> Instance:
    return Instance(f"i-{number}", f"ami-{of_image}", state, {}, None, None)


@st.composite
def stocks(draw: st.DrawFn) -> Stock:
    count = draw(st.integers(0, 12))
    images = [image(n, draw(STATES)) for n in range(count)]
    any_image = st.integers(0, count + 1)  # also of images that are no more, or no one's
    numbers = sorted(draw(st.sets(st.integers(1, 20), min_size=1, max_size=10)))
    default = draw(st.sampled_from(numbers))
    versions = [version(n, draw(st.none() | any_image), is_default=n == default) for n in numbers]
    others = [version(1, draw(any_image), is_default=True, template="other")] if draw(st.booleans()) else []
    words = st.sampled_from(["$Default", "$Latest", *map(str, numbers)])
    launched = {f"i-web-{n}": draw(words) for n in range(draw(st.integers(0, 3)))}
    overrides = draw(st.lists(st.tuples(st.sampled_from(["lt-web", "lt-other"]), words), max_size=2))
    override_images = tuple(f"ami-{draw(any_image)}" for _ in range(draw(st.integers(0, 1))))
    group = Group("web", "lt-web", draw(words), launched, bool(overrides), tuple(overrides), override_images)
    groups = [group] if draw(st.booleans()) else []
    return Stock(
        template="web",
        images=images,
        versions=[*versions, *others],
        groups=groups,
        instances=[instance(n, draw(any_image)) for n in range(draw(st.integers(0, 4)))],
        snapshots={f"snap-{n}": "{}" for n in range(count + 2)},
        configurations={"old": f"ami-{draw(any_image)}"} if draw(st.booleans()) else {},
        orphans=frozenset({f"snap-{draw(any_image)}"}),
        rollback_to=frozenset(draw(st.sets(st.sampled_from(numbers), max_size=2))),
        under_way=frozenset({f"ami-{draw(any_image)}"}) if draw(st.booleans()) else frozenset(),
    )


def gone(changes: tuple[Change, ...], kind: str) -> set[str]:
    return {change.resource for change in changes if change.kind == kind}


def meant(stock: Stock, word: str | None) -> int:
    """The test's own reading of a version: written anew, so that a mistake is not shared."""
    own = {one.number: one for one in stock.versions if one.template_name == "web"}
    (default,) = [number for number, one in own.items() if one.is_default]
    return {"$Default": default, "$Latest": max(own)}.get(word or "$Default") or int(word or 0)


@given(stocks(), st.integers(2, 5), st.integers(2, 5))
def test_nothing_in_use_goes(stock: Stock, keep_images: int, keep_versions: int) -> None:
    changes = prune_changes(stock, keep_images=keep_images, keep_versions=keep_versions)
    versions, images = gone(changes, VERSION), gone(changes, IMAGE)
    kept = [one for one in stock.versions if f"{one.template_name}:{one.number}" not in versions]
    assert not images & {one.image_id for one in kept}
    assert not images & {one.image_id for one in stock.instances}
    assert not images & set(stock.configurations.values())
    used = {meant(stock, word) for group in stock.groups for word in (group.version, *group.instance_versions.values())}
    assert not versions & {f"web:{number}" for number in used}
    assert not versions & {f"{one.template_name}:{one.number}" for one in stock.versions if one.is_default}
    assert not versions & {f"web:{number}" for number in stock.rollback_to}
    assert not images & stock.under_way
    overrides = [over for group in stock.groups for over in group.overrides]
    assert not versions & {f"web:{meant(stock, word)}" for template, word in overrides if template == "lt-web"}
    assert not images & {one for group in stock.groups for one in group.override_images}


@given(stocks(), st.integers(2, 5), st.integers(2, 5))
def test_what_is_left_is_the_newest_and_what_is_in_use_and_no_more(
    stock: Stock, keep_images: int, keep_versions: int
) -> None:
    changes = prune_changes(stock, keep_images=keep_images, keep_versions=keep_versions)
    versions, images = gone(changes, VERSION), gone(changes, IMAGE)
    available = [one.id for one in stock.images if one.state == "available"]
    assert images <= set(available) - set(available[-keep_images:])
    left = [one for one in stock.versions if f"{one.template_name}:{one.number}" not in versions]
    users = {one.image_id for one in left} | {one.image_id for one in stock.instances}
    others = {
        *stock.configurations.values(),
        *stock.under_way,
        *(one for g in stock.groups for one in g.override_images),
    }
    assert set(available) - images <= {*available[-keep_images:], *users, *others}
    numbers = [one.number for one in stock.versions if one.template_name == "web"]
    assert {f"web:{number}" for number in numbers[-keep_versions:]}.isdisjoint(versions)
    assert all(resource.startswith("web:") for resource in versions)


@given(stocks())
def test_a_snapshot_goes_with_its_image_and_only_then(stock: Stock) -> None:
    changes = prune_changes(stock, keep_images=2, keep_versions=2)
    images, snapshots = gone(changes, IMAGE), gone(changes, SNAPSHOT)
    held = {snapshot for one in stock.images if one.id not in images for snapshot in one.snapshots}
    assert not snapshots & held
    assert {snapshot for one in stock.images if one.id in images for snapshot in one.snapshots} <= snapshots
    resources = [change.resource for change in changes]
    assert len(resources) == len(set(resources))
    assert all(resources.index(f"snap-{one[4:]}") > resources.index(one) for one in images)


@given(stocks())
def test_what_was_pruned_needs_no_second_pruning(stock: Stock) -> None:
    changes = prune_changes(stock, keep_images=3, keep_versions=3)
    after = replace(
        stock,
        images=[one for one in stock.images if one.id not in gone(changes, IMAGE)],
        versions=[one for one in stock.versions if f"{one.template_name}:{one.number}" not in gone(changes, VERSION)],
        snapshots={one: facts for one, facts in stock.snapshots.items() if one not in gone(changes, SNAPSHOT)},
    )
    assert prune_changes(after, keep_images=3, keep_versions=3) == ()


def test_every_removal_says_why_and_keeps_what_it_takes_to_undo_it() -> None:
    images = [replace(image(n), facts=json.dumps({"ImageId": f"ami-{n}"})) for n in range(3)]
    stock = Stock("web", images, [version(1, 2, is_default=True)], [], [], {"snap-0": '{"VolumeSize": 8}'})
    deregister, delete = prune_changes(stock, keep_images=2, keep_versions=2)
    assert str(deregister) == ("deregister image ami-0: older than the newest 2 of its branch; made 2026-01-01 of c0")
    assert json.loads(deregister.undo) == {"ImageId": "ami-0"}
    assert (delete.kind, delete.reason, delete.undo) == (SNAPSHOT, "of ami-0", '{"VolumeSize": 8}')
