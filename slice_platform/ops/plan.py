"""What a job of operations intends, said before anything is done."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Change:
    """One intended act on one thing.

    `undo` is what a person or a program needs to have the thing again, as JSON; it is kept before the act. Only what
    `removes` counts against the limits of the fence, and is left where it is in use.
    """

    verb: str  # "deregister", "delete", "write"
    kind: str  # "image", "monitor file"
    resource: str  # its id; unique within its kind
    reason: str
    undo: str = "{}"
    removes: bool = True

    def __str__(self) -> str:
        return f"{self.verb} {self.kind} {self.resource}: {self.reason}"


@dataclass(frozen=True)
class Plan:
    """Everything one job intends, in the order in which it would do it.

    `existing` tells of each kind that something is removed of how many there are, before.
    """

    job: str  # "ami_prune"
    target: str  # of what: "branch main in 123456789012/ap-south-1"
    changes: tuple[Change, ...]
    existing: Mapping[str, int] = field(default_factory=dict)

    @property
    def removals(self) -> Counter[str]:
        """How many things of each kind it takes away."""
        return Counter(change.kind for change in self.changes if change.removes)

    def lines(self) -> Iterator[str]:
        """The plan as a person reads it."""
        if not self.changes:
            yield f"{self.job} of {self.target}: nothing to do."
            return
        yield f"{self.job} of {self.target}: {self.summary()}"
        yield from (f"  {change}" for change in self.changes)

    def summary(self) -> str:
        """`delete 2 of 7 images, write 1 monitor file`."""
        return ", ".join(self._counted(verb, kind, n) for (verb, kind), n in self._counts().items()) or "nothing to do"

    def _counts(self) -> Counter[tuple[str, str]]:
        return Counter((change.verb, change.kind) for change in self.changes)

    def _counted(self, verb: str, kind: str, count: int) -> str:
        of = self.existing.get(kind)
        plural = kind if (of or count) == 1 else f"{kind}s"
        return f"{verb} {count} {plural}" if of is None else f"{verb} {count} of {of} {plural}"
