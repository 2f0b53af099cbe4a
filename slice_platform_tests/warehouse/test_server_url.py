"""URLs of databases in the settings: read once, and never told."""

import traceback

import pytest

from slice_platform.components.propagator_runtime import open_propagator
from slice_platform.errors import SettingsError
from slice_platform.settings import load_settings
from slice_platform.warehouse.server_url import ServerUrl, server_url

EXPECTED = "redshift://user:password@host:5439/database"


def test_a_url_is_read_into_its_parts() -> None:
    read = server_url("redshift://us%40er:p%2Fw@host:1/dev", setting="S", expected=EXPECTED)
    assert read == ServerUrl("host", 1, "dev", "us@er", "p/w", {})
    assert "p/w" not in repr(read)


def test_a_url_needs_no_host() -> None:
    assert server_url("redshift://user@/dev", setting="S", expected=EXPECTED) == ServerUrl(
        None, None, "dev", "user", "", {}
    )


@pytest.mark.parametrize("url", ["redshift://u:sec/ret@host/dev", "redshift://u:se#cret@host", "redshift:u:secret@h/d"])
def test_a_malformed_one_names_its_setting_alone(url: str, tmp_path: object) -> None:
    settings = load_settings(
        home=tmp_path, propagator_uri="s3://bucket/drop", postgres_url="postgresql://host", redshift_url=url
    )
    with pytest.raises(SettingsError, match="SLICE_REDSHIFT_URL") as caught, open_propagator(settings):
        pass
    assert "sec" not in "".join(traceback.format_exception(caught.value)).split("SettingsError:", 1)[1]
