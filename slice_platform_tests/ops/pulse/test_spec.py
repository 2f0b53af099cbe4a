"""What a deployment says of Pulse reaches those who come without Dagster, and a mistake is told with its line."""

from pathlib import Path

import pytest

from slice_platform.errors import ContractError
from slice_platform.ops.pulse.spec import COMPONENT, PulseSpec, load_spec


def write(folder: Path, attributes: str) -> None:
    (folder / "pulse").mkdir()
    (folder / "pulse" / "defs.yaml").write_text(f"type: {COMPONENT}\n\nattributes:\n{attributes}")


def test_what_the_yaml_says_counts_and_the_rest_is_the_default(tmp_path: Path) -> None:
    write(tmp_path, "  limits: {max_share: 0.1}\n  probe: {down_after: 4}\n")
    found = load_spec(tmp_path)
    assert (found.limits.max_share, found.limits.max_resources, found.probe.down_after) == (0.1, 20, 4)


def test_a_deployment_without_pulse_has_the_defaults(tmp_path: Path) -> None:
    assert load_spec(tmp_path) == PulseSpec()


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("  limit: {}", "attributes.limit"),
        ("  tick_seconds: 600", "attributes.tick_seconds"),
        ("  probe: {schedule: '61 * * * *'}", "attributes.probe.schedule"),
        ("  probe: {flapping_changes: 1}", "attributes.probe.flapping_changes"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_field(tmp_path: Path, line: str, field: str) -> None:
    write(tmp_path, f"{line}\n")
    with pytest.raises(ContractError, match=f"defs.yaml:4: {field}: "):
        load_spec(tmp_path)
