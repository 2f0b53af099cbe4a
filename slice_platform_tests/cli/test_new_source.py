"""`slice new-dataset --from`: from a table of a database to a dataset that is filled from it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from slice_platform.cli.main import PERMANENT, main
from slice_platform.cli.new_source import without_password
from slice_platform.components.source_definition import source_of
from slice_platform.lake.dataset import load_datasets
from slice_platform.settings import PACKAGE_DIR
from slice_platform.warehouse.source.spec import SourceSpec
from slice_platform_tests.warehouse.source.databases import KINDS, Shop, shop_on

Slice = Callable[..., Result]


@pytest.fixture(params=KINDS)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    with shop_on(request, request.param) as made:
        made.make_orders(9)
        yield made


@pytest.fixture
def defs(tmp_path: Path) -> Path:
    return tmp_path / "package" / "defs"


@pytest.fixture
def slice_(tmp_path: Path, defs: Path, monkeypatch: pytest.MonkeyPatch) -> Slice:
    """Run `slice` with no datasets and a fresh home."""
    monkeypatch.setenv("SLICE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLICE_DEFS_DIR", str(defs))
    monkeypatch.setenv("DAGSTER_HOME", str(PACKAGE_DIR.parent))
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


def test_one_command_makes_a_dataset_and_the_source_that_fills_it(slice_: Slice, shop: Shop, defs: Path) -> None:
    done = slice_("new-dataset", "orders", "--from", shop.url, "--table", "orders", "--cursor", "updated_at")
    assert done.exit_code == 0, done.output
    assert sorted(str(path.relative_to(defs)) for path in defs.rglob("*.yaml")) == [
        "orders/contract.yaml", "orders/defs.yaml", "orders_source/defs.yaml",
    ]  # fmt: skip
    attributes = yaml.safe_load((defs / "orders_source" / "defs.yaml").read_text())["attributes"]
    spec = SourceSpec.model_validate({**attributes, "database": "shop"})
    source = source_of(defs / "orders_source", spec, load_datasets(defs))
    assert source.dataset.key == ("id",) and source.dataset.spec.order_by == ("updated_at",)
    assert spec.cursor is not None and spec.url_variable == "ORDERS_DATABASE_URL"


def test_types_come_from_the_catalog_and_not_from_the_values(slice_: Slice, shop: Shop, defs: Path) -> None:
    shop.run(
        "create table codes (id int primary key, zip varchar(9) not null, flag int, amount numeric(18,4), at timestamp)"
    )
    shop.run("insert into codes values (1, '10115', 1, 1.5, '2026-01-01'), (2, '10117', 0, 2, '2026-01-02')")
    assert slice_("new-dataset", "codes", "--from", shop.url, "--table", "codes").exit_code == 0
    contract = yaml.safe_load((defs / "codes" / "contract.yaml").read_text())
    columns = {one["name"]: one for one in contract["schema"][0]["properties"]}
    assert columns["zip"] == {"name": "zip", "required": True, "logicalType": "string"}
    assert columns["flag"]["logicalType"] == "integer" and "required" not in columns["flag"]
    assert columns["amount"]["physicalType"] == "decimal(18,4)" and columns["id"]["primaryKey"]
    assert columns["at"]["logicalType"] == "timestamp"


def test_comments_of_the_catalog_are_descriptions(slice_: Slice, request: pytest.FixtureRequest, defs: Path) -> None:
    with shop_on(request, "postgres") as shop:
        shop.make_orders(1)
        shop.run("comment on table orders is 'One row per order'", "comment on column orders.item is 'What: \"it\" is'")
        slice_("new-dataset", "orders", "--from", shop.url, "--table", "public.orders")
    table = yaml.safe_load((defs / "orders" / "contract.yaml").read_text())["schema"][0]
    assert table["description"] == "One row per order"
    assert table["properties"][1]["description"] == 'What: "it" is'


def test_the_password_is_written_nowhere(slice_: Slice, shop: Shop, tmp_path: Path) -> None:
    url = shop.url.replace("@", ":se%40cret@", 1)
    done = slice_("new-dataset", "orders", "--from", url, "--table", "orders", "--url-variable", "SHOP_URL")
    assert done.exit_code == 0, done.output
    assert "set SHOP_URL" in done.output and ":PASSWORD@" in done.output and "cret" not in done.output
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"cret" not in path.read_bytes(), path


def test_printing_writes_nothing(slice_: Slice, shop: Shop, defs: Path) -> None:
    done = slice_("new-dataset", "cheap", "--from", shop.url, "--query", "select id, item from orders", "--print")
    assert "# --- cheap_source/defs.yaml" in done.stdout and 'query: "select id, item from orders"' in done.stdout
    assert not defs.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--table", "nowhere"], "Check `table` and `database`"),
        ([], "one of --table and --query"),
        (["--table", "orders", "--query", "select 1"], "one of --table and --query"),
        (["--table", "orders", "--cursor", "item"], "a cursor is a timestamp, a date or an integer"),
        (["--table", "orders", "--cursor", "changed"], "Columns: id, item"),
        (["--query", "select item, updated_at from orders", "--cursor", "updated_at"], "Give --key"),
        (["--query", "select * from orders where id > 99"], "it has no rows"),
        (["--table", "orders", "--rows", "0"], "expected 1 or more"),
    ],
)
def test_a_mistake_says_what_to_do_and_writes_nothing(
    slice_: Slice, shop: Shop, defs: Path, arguments: list[str], says: str
) -> None:
    done = slice_("new-dataset", "orders", "--from", shop.url, *arguments)
    assert done.exit_code == PERMANENT and says in done.stderr, done.output
    assert not defs.exists()


def test_a_sample_and_a_database_at_once_are_refused(slice_: Slice, shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    done = slice_("new-dataset", "a", "--from", shop.url, "--table", "orders", "--sample", str(tmp_path / "a.csv"))
    assert done.exit_code == PERMANENT and "from files or from a database" in done.stderr


def test_neither_a_sample_nor_a_database_is_told_of_both(slice_: Slice) -> None:
    done = slice_("new-dataset", "a")
    assert done.exit_code == PERMANENT and "takes --sample FILE, or --from URL" in done.stderr


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://joe:pw@host:5432/shop", "postgresql://joe:PASSWORD@host:5432/shop"),
        ("mysql://joe@host/shop?ssl_ca=/x", "mysql://joe:PASSWORD@host/shop"),
        ("postgresql:///shop?host=/run&password=pw", "postgresql:///shop"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown
