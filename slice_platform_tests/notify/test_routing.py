"""Who is told of what, and what is said of a routing file that is wrong."""

import re
from pathlib import Path

import pytest

from slice_platform.errors import ContractError
from slice_platform.notify.routing import Kind, Place, Routing, Subject, read_routing
from slice_platform.settings import PACKAGE_DIR

TEXT = """\
default: platform
owners: {"team:flights": "<@U024BE7LH>"}
routes:
  - {kinds: [loaded, not_loaded], channel: loads}
  - {kinds: [check_warned], asset: ["curated/fl*"], channel: flights, mention: "<!channel>"}
  - {job: ["ami_*"], channel: ops}
"""


@pytest.fixture
def routing(tmp_path: Path) -> Routing:
    (tmp_path / "notifications.yaml").write_text(TEXT)
    return read_routing(tmp_path / "notifications.yaml")


@pytest.mark.parametrize(
    ("subject", "place"),
    [
        (Subject(Kind.LOADED), Place("loads")),
        (Subject(Kind.CHECK_WARNED, assets=("curated/flights",)), Place("flights", "<!channel>")),
        (Subject(Kind.CHECK_WARNED, assets=("curated/planes",)), Place("platform")),
        (Subject(Kind.RUN_FAILED, job="ami_release"), Place("ops")),
        (Subject(Kind.RUN_FAILED, owners=("team:flights", "x")), Place("platform", "<@U024BE7LH>")),
        (Subject(Kind.RECOVERED, owners=("team:flights",)), Place("platform")),
    ],
)
def test_the_first_route_that_matches_counts(routing: Routing, subject: Subject, place: Place) -> None:
    assert routing.place(subject) == place


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("default: platform", "default: No Channel", "notifications.yaml:1: default: "),
        ("[loaded, not_loaded]", "[lodaed]", "notifications.yaml:4: routes.0.kinds.0: "),
        ('"<!channel>"', '"@here"', "notifications.yaml:5: routes.1.mention: "),
        ("job:", "jobs:", "notifications.yaml:6: routes.2.jobs: Extra inputs"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_field(tmp_path: Path, old: str, new: str, says: str) -> None:
    (tmp_path / "notifications.yaml").write_text(TEXT.replace(old, new))
    with pytest.raises(ContractError) as caught:
        read_routing(tmp_path / "notifications.yaml")
    assert says in str(caught.value)


def test_the_file_of_this_deployment_is_right() -> None:
    found = read_routing(PACKAGE_DIR / "defs" / "notifications.yaml")
    assert found.place(Subject(Kind.NOT_LOADED)).channel == "data-loader-notification"


def test_the_routes_of_the_docs_are_right(tmp_path: Path) -> None:
    docs = (PACKAGE_DIR.parent / "docs" / "notifications.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"```yaml\n(.*?)```", docs, re.DOTALL)
    (tmp_path / "docs.yaml").write_text(found, encoding="utf-8")
    assert read_routing(tmp_path / "docs.yaml").place(Subject(Kind.RUN_FAILED, job="ami_x")) == Place(
        "ops", "<!channel>"
    )
