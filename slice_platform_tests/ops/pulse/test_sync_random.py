"""Whatever is published, edited, broken and synced in whatever order: the directory is a function of it."""

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slice_platform.metadata_db import MetadataDb
from slice_platform.ops.pulse.manifest import MANIFEST, manifest_of, monitors_key
from slice_platform.store import Store
from slice_platform_tests.ops.pulse.conftest import Way, way_over
from slice_platform_tests.ops.pulse.monitors import BROKEN, http

NAMES = ("a.yml", "b.yml", "c.yml")
FOREIGN = {"own.yml": "# of somebody else\n", "c.yml.bak": "# as well\n"}

good = st.builds(lambda port: ("good", port), st.integers(1, 3))
version = st.one_of(good, st.just(("broken", 0)))
uploads = st.dictionaries(st.sampled_from(NAMES), version, max_size=3).map(lambda files: ("upload", files))
edits = st.tuples(st.sampled_from(["edit", "remove"]), st.sampled_from(NAMES))
torn = st.tuples(st.just("torn"), st.sampled_from(NAMES))
steps = st.lists(st.one_of(uploads, edits, torn, st.just(("sync", ""))), max_size=12)


def text_of(name: str, kind: str, port: int) -> str:
    return BROKEN if kind == "broken" else http(name.removesuffix(".yml"), f"http://127.0.0.1:{port}/")


class Model:
    """What has to be there, told without any of the code."""

    def __init__(self) -> None:
        self.published: dict[str, str] = {}
        self.torn: set[str] = set()
        self.there: dict[str, str] = {}

    def sync(self) -> None:
        for name, text in self.published.items():
            if text != BROKEN and name not in self.torn:
                self.there[name] = text
        self.there = {name: text for name, text in self.there.items() if name in self.published}


def upload(way: Way, files: dict[str, str]) -> None:
    """Past the publisher, which would not let a broken file through."""
    for name, text in files.items():
        way.store.write(monitors_key(name), text.encode())
    way.store.write(MANIFEST, manifest_of({name: text.encode() for name, text in files.items()}).text().encode())


@given(steps)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_directory_has_the_last_good_version_of_all_that_is_published(
    taken: list[tuple[str, object]],
) -> None:
    model = Model()
    with TemporaryDirectory() as folder, closing(_db(folder)) as db, pytest.MonkeyPatch.context() as patch:
        patch.setattr("slice_platform.ops.pulse.published._WAIT_SECONDS", 0.0)
        way = way_over(Path(folder), Store(f"{folder}/bucket"), db)
        way.heartbeat.path.mkdir()
        for name, text in FOREIGN.items():
            (way.heartbeat.path / name).write_text(text)
        upload(way, {})
        for verb, what in [*taken, ("sync", "")]:
            _take(verb, what, way, model)
        assert {name: text for name, text in way.there().items() if name not in FOREIGN} == model.there
        assert {name: (way.heartbeat.path / name).read_text() for name in FOREIGN} == FOREIGN
        undelivered = {name for name in model.torn if model.there.get(name) != model.published[name]}
        assert {line.split()[0] for line in way.behind()} == undelivered


def _take(verb: str, what: object, way: Way, model: Model) -> None:
    if verb == "upload":
        assert isinstance(what, dict)
        model.published = {name: text_of(name, *how) for name, how in what.items()}
        model.torn = set()
        upload(way, model.published)
    elif verb == "torn":
        if what in model.published:
            model.torn.add(str(what))
            way.store.write(monitors_key(str(what)), b"- type: http # cut off")
    elif verb == "sync":
        way.sync(max_share=1.0)
        model.sync()
    elif what in way.there():
        path = way.heartbeat.path / str(what)
        path.unlink() if verb == "remove" else path.write_text("# edited by hand\n")


def _db(folder: str) -> MetadataDb:
    return MetadataDb(f"sqlite:///{folder}/ops.db", lock_dir=Path(folder) / "locks")
