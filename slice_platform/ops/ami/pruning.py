"""Which versions and images go: a function of what an account has, and nothing else.

Kept in any case: what the group or one of its instances uses, the default version, the one to roll back to, the newest
of each kind, and every image that an instance, a version that is kept, or a launch configuration refers to.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from slice_platform.ops.ami.account import Group, Image, Instance, TemplateVersion
from slice_platform.ops.plan import Change

VERSION, IMAGE, SNAPSHOT = "launch template version", "image", "snapshot"


@dataclass(frozen=True)
class Stock:
    """What there is of one service, and in the account of whatever may use its images.

    `versions` are those of every launch template; `orphans` are snapshots that an earlier plan was to delete with
    their image, and did not.
    """

    template: str
    images: Sequence[Image]  # of the branch, own, the oldest first
    versions: Sequence[TemplateVersion]
    groups: Sequence[Group]
    instances: Sequence[Instance]
    snapshots: Mapping[str, str]  # of the images and the orphans: id -> facts
    configurations: Mapping[str, str] = field(default_factory=dict)  # name -> image
    orphans: frozenset[str] = frozenset()
    rollback_to: frozenset[int] = (
        frozenset()
    )  # versions that were the default before, of the last release and running ones
    under_way: frozenset[str] = frozenset()  # images of releases that are not done

    @property
    def own_versions(self) -> list[TemplateVersion]:
        return sorted((one for one in self.versions if one.template_name == self.template), key=lambda one: one.number)


def prune_changes(stock: Stock, *, keep_images: int, keep_versions: int) -> tuple[Change, ...]:
    """What goes: versions, then images with their snapshots, the oldest first."""
    versions = _old_versions(stock, keep_versions)
    gone = {(one.template_id, one.number) for one in versions}
    images = _old_images(stock, keep_images, gone)
    return (
        *(_of_version(stock, one) for one in versions),
        *(change for image in images for change in _of_image(stock, image, keep_images)),
        *(_of_orphan(stock, snapshot) for snapshot in sorted(_left_over(stock))),
    )


def version_users(stock: Stock) -> dict[int, list[str]]:
    """Who uses which version of the service's launch template."""
    users: dict[int, list[str]] = defaultdict(list)
    for version in stock.own_versions:
        if version.is_default:
            users[version.number].append("launch template's default")
        if version.number in stock.rollback_to:
            users[version.number].append("version to roll back to")
    own = {one.template_id for one in stock.own_versions}
    for group in stock.groups:
        if group.template_id in own:
            users[resolved(group.version, stock.own_versions)].append(group.name)
            for instance, number in group.instance_versions.items():
                users[resolved(number, stock.own_versions)].append(instance)
        for template, number in group.overrides:
            if template in own:
                users[resolved(number, stock.own_versions)].append(f"{group.name} by an override")
    return users


def image_users(stock: Stock, gone: Collection[tuple[str, int]] = ()) -> dict[str, list[str]]:
    """Who uses which image, but for the versions (template, number) that are gone."""
    users: dict[str, list[str]] = defaultdict(list)
    for version in stock.versions:
        if version.image_id and (version.template_id, version.number) not in gone:
            users[version.image_id].append(f"{version.template_name} version {version.number}")
    for instance in stock.instances:
        users[instance.image_id].append(instance.id)
    for image in stock.images:
        if image.is_protected:
            users[image.id].append("its own protection from being deregistered")
    for image_id in stock.under_way:
        users[image_id].append("a release that is under way")
    for group in stock.groups:
        for image_id in group.override_images:
            users[image_id].append(f"{group.name} by an override")
    for name, image_id in stock.configurations.items():
        users[image_id].append(f"launch configuration {name}")
    return users


def resolved(version: str | None, versions: Iterable[TemplateVersion]) -> int:
    """The number that a group's or instance's word for a version means; 0 where it means none."""
    every = list(versions)
    if version == "$Latest":
        return max((one.number for one in every), default=0)
    if version in (None, "", "$Default"):
        return next((one.number for one in every if one.is_default), 0)
    return int(version)


def _old_versions(stock: Stock, keep: int) -> list[TemplateVersion]:
    users = version_users(stock)
    return [one for one in stock.own_versions[:-keep] if not users.get(one.number)]


def _old_images(stock: Stock, keep: int, gone: Collection[tuple[str, int]]) -> list[Image]:
    users = image_users(stock, gone)
    available = [image for image in stock.images if image.state == "available"]
    return [image for image in available[:-keep] if not users.get(image.id)]


def _left_over(stock: Stock) -> frozenset[str]:
    """Orphans that no image has any more."""
    held = {snapshot for image in stock.images for snapshot in image.snapshots}
    return frozenset(stock.orphans & stock.snapshots.keys()) - held


def _of_version(stock: Stock, version: TemplateVersion) -> Change:
    undo = {"template": version.template_name, "data": json.loads(version.facts), "description": version.description}
    return Change(
        "delete",
        VERSION,
        f"{stock.template}:{version.number}",
        f"older than those that stay; it has {version.image_id}",
        json.dumps(undo, sort_keys=True),
    )


def _of_image(stock: Stock, image: Image, keep: int) -> Iterable[Change]:
    made = f"made {image.created_at:%Y-%m-%d} of {image.commit or 'an unknown commit'}"
    yield Change("deregister", IMAGE, image.id, f"older than the newest {keep} of its branch; {made}", image.facts)
    for snapshot in image.snapshots:
        if snapshot in stock.snapshots:
            yield Change("delete", SNAPSHOT, snapshot, f"of {image.id}", stock.snapshots[snapshot])


def _of_orphan(stock: Stock, snapshot: str) -> Change:
    return Change("delete", SNAPSHOT, snapshot, "its image is gone, by a plan cut short", stock.snapshots[snapshot])
