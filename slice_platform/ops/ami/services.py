"""The services that this deployment releases, as their folders below defs/ describe them."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from slice_platform.errors import SettingsError
from slice_platform.ops.ami.spec import ReleaseSpec, Service
from slice_platform.yaml_lines import YamlFile, read_yaml

COMPONENT = "AmiRelease"


def read_services(defs_dir: Path) -> dict[str, Service]:
    """Every service, by its name, which is that of its folder.

    Raises:
        ContractError: a defs.yaml is wrong; the message names file, line and field.
        SettingsError: two services have one name.
    """
    written = [read_yaml(path) for path in sorted(defs_dir.rglob("defs.yaml")) if COMPONENT in path.read_text("utf-8")]
    services = [_service(one) for one in written if _is_ours(one.content)]
    by_name: dict[str, Service] = {}
    for service in services:
        if (other := by_name.setdefault(service.name, service)) is not service:
            raise SettingsError(
                f"Reading the services: two folders are called {service.name!r}, {str(other.folder)!r} and "
                f"{str(service.folder)!r}, expected is a name of its own for each. Rename one."
            )
    return by_name


def service_of(defs_dir: Path, name: str) -> Service:
    """The service of that name.

    Raises:
        SettingsError: there is none.
        ContractError: a defs.yaml is wrong.
    """
    services = read_services(defs_dir)
    if name not in services:
        known = ", ".join(services) or "none"
        raise SettingsError(
            f"Looking for the service {name!r}: no folder below {str(defs_dir)!r} with a component {COMPONENT} has "
            f"that name; there are: {known}."
        )
    return services[name]


def _is_ours(content: Any) -> bool:
    return isinstance(content, dict) and str(content.get("type", "")).endswith(f".{COMPONENT}")


def _service(written: YamlFile) -> Service:
    folder = written.path.parent
    try:
        return Service(folder.name, ReleaseSpec.model_validate(written.content.get("attributes") or {}), folder)
    except ValidationError as error:
        first = error.errors()[0]
        raise written.error(("attributes", *first["loc"]), first["msg"]) from error
