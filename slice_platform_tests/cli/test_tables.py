import io

from rich.console import Console

from slice_platform.cli.tables import print_files, print_rejects, print_status
from slice_platform.lake.ingest import ingest
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.set_fixtures import by_marker, part
from slice_platform_tests.samples import drop

GOOD = "".join(f'{{"id":"{n}","started_at":"2013-01-01T00:00:00Z"}}\n' for n in range(40))
BAD = '{"id":"x","started_at":"2013-01-01T00:00:00Z","distance":"[/b] far"}\n'


def test_names_and_reasons_are_printed_as_they_are(make_lake: MakeLake) -> None:
    """Square brackets are rich's markup, and data is no markup."""
    lake, console = make_lake(), Console(file=io.StringIO(), width=200)
    drop(lake, "trips/[red]a[/b].jsonl", (GOOD + BAD).encode())
    drop(lake, "trips/[b]torn.jsonl", b"[/b] not json\n")
    ingest(lake, "trips")
    print_files(lake, "trips", None, console)
    print_rejects(lake, "trips", 5, console)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "trips/[red]a[/b].jsonl" in shown and "'[/b] far' is not integer" in shown
    assert "set aside landing/trips/[b]torn.jsonl" in shown


def test_status_tells_below_the_table_which_sets_wait_and_for_what(make_lake: MakeLake) -> None:
    lake, console = make_lake(by_marker()), Console(file=io.StringIO(), width=200)
    drop(lake, "feed/[red]may/a.jsonl", part("a"))
    print_status(lake, console)
    assert isinstance(console.file, io.StringIO)
    last = console.file.getvalue().splitlines()[-1]
    assert last.startswith("feed: set '[red]may' ([red]may/a.jsonl, since ")
    assert last.endswith("UTC) waits for: the marker _SUCCESS")
