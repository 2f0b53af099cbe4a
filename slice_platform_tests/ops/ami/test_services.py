"""The services of a deployment, as the folders below defs/ describe them."""

from pathlib import Path

import pytest

from slice_platform.errors import ContractError, SettingsError
from slice_platform.ops.ami.services import read_services, service_of

YAML = """\
type: slice_platform.components.ami.AmiRelease
attributes:
  branch: main
  launch_template: web
  auto_scaling_group: web
  packer: {template: packer.json}
  test: {health_url: "http://{private_ip}/health"}
"""


def written(defs_dir: Path, folder: str, text: str = YAML) -> Path:
    path = defs_dir / folder / "defs.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_service_has_the_name_of_its_folder_and_the_usual_bounds(tmp_path: Path) -> None:
    path = written(tmp_path, "ami/web")
    service = service_of(tmp_path, "web")
    assert (service.name, service.folder) == ("web", path.parent)
    assert (service.spec.keep_images, service.spec.keep_versions) == (5, 5)
    assert (service.spec.limits.max_resources, service.spec.limits.max_share) == (20, 0.5)


def test_folders_of_other_components_are_none(tmp_path: Path) -> None:
    written(tmp_path, "feed", "type: slice_platform.components.dataset.Dataset\n# not an AmiRelease\n")
    written(tmp_path, "notes", "- AmiRelease\n")
    written(tmp_path, "ami/web")
    assert list(read_services(tmp_path)) == ["web"]


def test_an_unknown_service_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Looking for the service 'api': .*there are: none"):
        service_of(tmp_path, "api")
    written(tmp_path, "ami/web")
    with pytest.raises(SettingsError, match="there are: web"):
        service_of(tmp_path, "api")


def test_two_services_of_one_name_are_refused_with_both_folders(tmp_path: Path) -> None:
    first, second = written(tmp_path, "ami/web"), written(tmp_path, "old/web")
    with pytest.raises(SettingsError, match="two folders are called 'web'") as refused:
        read_services(tmp_path)
    assert str(first.parent) in str(refused.value) and str(second.parent) in str(refused.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("keep_x", "keep_images: 1"), r"defs.yaml:8: attributes.keep_images: Input should be greater than or equal"),
        (("keep_x", "keep_versions: 1"), r"defs.yaml:8: attributes.keep_versions: Input should be greater than"),
        (("packer: {template: packer.json}", "brunch: x"), r"defs.yaml:6: attributes.brunch: Extra inputs are not"),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_field(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    written(tmp_path, "ami/web", (YAML + "  keep_x\n").replace(*change).replace("  keep_x\n", ""))
    with pytest.raises(ContractError, match=says):
        read_services(tmp_path)


def test_both_ways_to_build_are_one_too_many(tmp_path: Path) -> None:
    written(tmp_path, "ami/web", YAML + "  codebuild: {project: ami-build}\n")
    with pytest.raises(ContractError, match="expected either `packer` or `codebuild`"):
        read_services(tmp_path)


def test_the_service_of_this_repository_can_be_read() -> None:
    assert service_of(Path(__file__).parents[3] / "slice_platform" / "defs", "web").spec.branch == "main"
