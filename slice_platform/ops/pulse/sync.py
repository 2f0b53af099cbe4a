"""From the bucket to Heartbeat's directory: it has the last good version of every file that is published.

Compared is by hash, so an edit that keeps the size arrives. A version that is wrong is not delivered and the last good
one stays, as Heartbeat stops the monitors of a file that it cannot read. Files of others are not touched. Nothing is
deleted unless the manifest was read whole, and within the fence.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from slice_platform.ops.fence import Hands, Mandate, carry_out
from slice_platform.ops.journal import Journal
from slice_platform.ops.plan import Change, Plan
from slice_platform.ops.pulse.agreement import Agreed, agree
from slice_platform.ops.pulse.heartbeat_dir import HeartbeatDir
from slice_platform.ops.pulse.heartbeat_record import Record, sha256_of
from slice_platform.ops.pulse.manifest import Manifest
from slice_platform.ops.pulse.monitor_file import MonitorFile, Problem, read_monitors
from slice_platform.ops.pulse.publish import KIND, Delivered
from slice_platform.ops.pulse.published import Published, fetch
from slice_platform.ops.pulse.undo import undo_record
from slice_platform.store import Store

JOB = "pulse_sync"
_TORN = "its bytes are not those that the manifest names: somebody changed it in the bucket. Publish again"
_FOREIGN = "a file of that name is there that is not Pulse's, and it is left alone. Rename it, or the published one"


@dataclass(frozen=True)
class SyncPlan:
    """What is to be done, the bytes it takes, what was wrong, and what the record then says of that."""

    plan: Plan
    contents: Mapping[str, bytes]
    problems: tuple[Problem, ...]
    refused: Mapping[str, str]
    foreign: Mapping[str, str]


def sync(store: Store, directory: HeartbeatDir, mandate: Mandate, journal: Journal) -> Delivered:
    """The directory has the last good version of all that is published. Idempotent, and may die anywhere.

    Raises:
        FenceRefused: too much would be deleted; nothing was changed.
        SettingsError: nothing was ever published.
        PulseManifestBroken: what is published, or what is ours, cannot be told; nothing was changed.
        StoreUnavailable: the store or the disk did not do what was asked.
    """
    with journal.alone(JOB, str(directory.path)):
        record = directory.record()
        known = {sha256_of(content.encode()): content.encode() for content in record.files.values()}
        planned = plan_sync(fetch(store, known), directory, record)
        if mandate.apply:
            directory.remove_unfinished()
        outcome = None
        if planned.plan.changes:
            outcome = carry_out(planned.plan, mandate, journal, _Syncing(directory, planned.contents))
        else:
            mandate.tell(next(planned.plan.lines()))
        if mandate.apply:
            _note(directory, planned)
        return Delivered(outcome, planned.problems)


def plan_sync(published: Published, directory: HeartbeatDir, record: Record) -> SyncPlan:
    """Nothing is written."""
    hashes = published.manifest.hashes()
    foreign = {name: sha for name, sha in hashes.items() if name not in record.files and directory.has(name)}
    agreed = _agreed(published, record, foreign)
    contents = {name: one.content for name, one in agreed.files.items()}
    writes = [
        _change("write", name, _why(name, content, directory, record), directory)
        for name, content in contents.items()
        if directory.content(name) != content
    ]
    gone = [
        _change("delete", name, "it is not published any more", directory)
        for name in sorted(record.files.keys() - hashes.keys())
    ]
    plan = Plan(JOB, str(directory.path), (*writes, *gone), {KIND: len(record.files)} if gone else {})
    problems = (*agreed.problems, *(Problem(name, 1, "the file", _FOREIGN) for name in foreign))
    wrong = {problem.file for problem in agreed.problems} - published.torn
    return SyncPlan(plan, contents, problems, {name: hashes[name] for name in sorted(wrong)}, foreign)


def behind(manifest: Manifest, directory: HeartbeatDir) -> tuple[str, ...]:
    """What a sync would look at, `name sha256` each; nothing where the directory is in step. Reads no monitors.

    A version that a sync has refused is not looked at again.
    """
    record, hashes = directory.record(), manifest.hashes()
    found = [f"{name} gone" for name in sorted(record.files.keys() - hashes.keys())]
    return (*found, *(f"{name} {sha}" for name, sha in hashes.items() if _is_behind(name, sha, directory, record)))


def _is_behind(name: str, sha256: str, directory: HeartbeatDir, record: Record) -> bool:
    last_good, content = record.files.get(name), directory.content(name)
    if last_good is None and directory.has(name):
        return record.foreign.get(name) != sha256
    if record.refused.get(name) == sha256:
        return last_good is not None and content != last_good.encode()
    return content is None or sha256_of(content) != sha256


def _agreed(published: Published, record: Record, foreign: Mapping[str, str]) -> Agreed:
    wanted = {name: read_monitors(name, content) for name, content in published.contents.items() if name not in foreign}
    for name in published.torn - foreign.keys():
        wanted[name] = MonitorFile(name, b"", problems=(Problem(name, 1, "the file", _TORN),))
    last_good = {name: read_monitors(name, content.encode()) for name, content in record.files.items()}
    return agree(wanted, last_good)


def _why(name: str, content: bytes, directory: HeartbeatDir, record: Record) -> str:
    if name not in record.files:
        return "it is new"
    if record.files[name].encode() != content:
        return "a new version is published"
    return "somebody changed it here" if directory.has(name) else "somebody removed it here"


def _change(verb: str, name: str, reason: str, directory: HeartbeatDir) -> Change:
    undo = undo_record(str(directory.path / name), directory.content(name))
    return Change(verb, KIND, name, reason, undo, removes=verb == "delete")


def _note(directory: HeartbeatDir, planned: SyncPlan) -> None:
    record = directory.record()
    if (record.refused, record.foreign) != (planned.refused, planned.foreign):
        record.refused, record.foreign = dict(planned.refused), dict(planned.foreign)
        directory.save(record)


@dataclass(frozen=True)
class _Syncing(Hands):
    """The hands of a sync."""

    directory: HeartbeatDir
    contents: Mapping[str, bytes]

    def act(self, change: Change) -> None:
        if change.verb == "delete":
            self.directory.delete(change.resource)
        else:
            self.directory.write(change.resource, self.contents[change.resource])
