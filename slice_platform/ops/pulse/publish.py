"""From the directory in git to the bucket: files that changed, then the manifest, then what has gone."""

from collections.abc import Mapping
from dataclasses import dataclass

from slice_platform.errors import PulseManifestBroken
from slice_platform.ops.fence import Hands, Mandate, Outcome, carry_out
from slice_platform.ops.journal import Journal
from slice_platform.ops.plan import Change, Plan
from slice_platform.ops.pulse.agreement import agree
from slice_platform.ops.pulse.manifest import MANIFEST, MONITORS, manifest_of, monitors_key, read_manifest
from slice_platform.ops.pulse.monitor_file import FILE_NAME, MonitorFile, Problem, read_monitors
from slice_platform.ops.pulse.monitors_dir import MonitorsDir
from slice_platform.ops.pulse.undo import undo_record
from slice_platform.store import Store

JOB, KIND = "pulse_publish", "monitor file"


@dataclass(frozen=True)
class Delivered:
    """What became of files of monitors: of those that are wrong the last good version stays.

    `outcome` is None where there was nothing to do, which leaves no trace in the journal.
    """

    outcome: Outcome | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class PublishPlan:
    """What is to be done, the bytes it takes, and what was wrong with files."""

    plan: Plan
    contents: Mapping[str, bytes]  # of every file that is to be published
    problems: tuple[Problem, ...]


def publish(source: MonitorsDir, store: Store, mandate: Mandate, journal: Journal) -> Delivered:
    """The store has the directory's files, those that are wrong in the version that it had.

    Idempotent, and may die anywhere: the manifest is written once all that it names is there.

    Raises:
        FenceRefused: too much would be deleted; nothing was changed.
        StoreUnavailable: the store did not answer.
    """
    with journal.alone(JOB, store.root):
        planned = plan_publish(source, store)
        if not planned.plan.changes:
            mandate.tell(next(planned.plan.lines()))
            return Delivered(None, planned.problems)
        outcome = carry_out(planned.plan, mandate, journal, _Publishing(store, planned.contents))
        return Delivered(outcome, planned.problems)


def plan_publish(source: MonitorsDir, store: Store) -> PublishPlan:
    """Compared with what lies in the store, byte by byte; nothing is written."""
    stored = stored_files(store)
    agreed = agree(source.files, stored)
    contents = {name: one.content for name, one in agreed.files.items()}
    writes = [
        _change("write", name, "it is new" if name not in stored else "it changed", store, stored)
        for name, content in contents.items()
        if name not in stored or stored[name].content != content
    ]
    gone = [
        _change("delete", name, f"it is not in {source.path} any more", store, stored)
        for name in stored
        if name not in contents
    ]
    changes = (*writes, *_manifest_change(store, contents), *gone)
    plan = Plan(JOB, store.root, changes, {KIND: len(stored)} if gone else {})
    return PublishPlan(plan, contents, (*source.strays, *agreed.problems))


def stored_files(store: Store) -> dict[str, MonitorFile]:
    """What lies in the store under names of ours, after a full listing."""
    found = dict[str, MonitorFile]()
    for entry in store.list(MONITORS):
        name = entry.key.removeprefix(f"{MONITORS}/")
        if FILE_NAME.fullmatch(name):
            with store.open(entry.key) as stored:
                found[name] = read_monitors(name, stored.read())
    return found


def _manifest_change(store: Store, contents: Mapping[str, bytes]) -> list[Change]:
    wanted = manifest_of(contents)
    try:
        known = read_manifest(store)
    except PulseManifestBroken:
        known, reason = None, "the one that is there cannot be read"
    else:
        reason = f"it names {len(contents)} file{'' if len(contents) == 1 else 's'}"
    if known == wanted:
        return []
    undo = undo_record(store.path(MANIFEST), known.text().encode() if known else None)
    return [Change("write", "manifest", MANIFEST, reason, undo, removes=False)]


def _change(verb: str, name: str, reason: str, store: Store, stored: Mapping[str, MonitorFile]) -> Change:
    undo = undo_record(store.path(monitors_key(name)), stored[name].content if name in stored else None)
    return Change(verb, KIND, name, reason, undo, removes=verb == "delete")


@dataclass(frozen=True)
class _Publishing(Hands):
    """The hands of a publish."""

    store: Store
    contents: Mapping[str, bytes]

    def act(self, change: Change) -> None:
        if change.kind != KIND:
            self.store.write(MANIFEST, manifest_of(self.contents).text().encode())
        elif change.verb == "delete":
            self.store.remove(monitors_key(change.resource))
        else:
            self.store.write(monitors_key(change.resource), self.contents[change.resource])
