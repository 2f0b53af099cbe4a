"""YAML of a folder or an S3 prefix: each file with its lines, so that an error can point at one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from slice_platform.aws import AwsAccess
from slice_platform.errors import ContractError, SettingsError
from slice_platform.store import Store, open_store
from slice_platform.yaml_lines import Place, YamlFile, parse_yaml

_ENDINGS = (".yml", ".yaml")
_Model = TypeVar("_Model", bound=BaseModel)


def documents(root: str, access: AwsAccess) -> Iterator[YamlFile]:
    """Every YAML file below a folder or an `s3://bucket/prefix`, by name.

    Raises:
        SettingsError: there is none.
        ContractError: one of them is no YAML; the message has the line.
    """
    store, found = open_store(root, access), False
    for entry in store.list(""):
        name = entry.key.rsplit("/", 1)[-1]
        if name.endswith(_ENDINGS) and not name.startswith("."):
            found = True
            yield _document(store, entry.key, root)
    if not found:
        raise SettingsError(f"Reading policies of Cloud Custodian: {root!r} holds no file that ends in .yml or .yaml.")


def document(uri: str, access: AwsAccess) -> YamlFile:
    """One YAML file, by its path or `s3://bucket/key`.

    Raises:
        SettingsError: it is not there.
        ContractError: it is no YAML; the message has the line.
    """
    root, _, name = uri.rpartition("/")
    try:
        return _document(open_store(root or ".", access), name, root)
    except FileNotFoundError as error:
        raise SettingsError(f"Reading {uri!r}: there is no such file. Write it, or name another.") from error


def entries(source: YamlFile, key: str) -> list[Any]:
    """The list below the one key of a document; an empty one where nothing stands there.

    Raises:
        ContractError: it is something else.
    """
    content = source.content if source.content is not None else {}
    if not isinstance(content, dict):
        raise source.error((), f"expected the key {key!r} with a list, got {content!r}")
    for other in content.keys() - {key, "vars"}:  # `vars` is where c7n's files keep their YAML anchors
        raise source.error((other,), f"is not known here; expected {key!r}")
    found = content.get(key) or []
    if not isinstance(found, list):
        raise source.error((key,), f"expected a list, got {found!r}")
    return found


def checked(source: YamlFile, place: Place, value: object, model: type[_Model]) -> _Model:
    """What stands at `place`, as the model has it.

    Raises:
        ContractError: it is something else; the message has the line of the first field that is wrong.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        raise source.error((*place, *first["loc"]), f"{first['msg']}, got {first['input']!r}") from error


def _document(store: Store, key: str, root: str) -> YamlFile:
    path = Path(store.path(key) if store.is_local else key)
    with store.open(key) as opened:
        content = opened.read()
    try:
        return parse_yaml(path, content.decode())
    except UnicodeDecodeError as error:
        raise ContractError(f"{path}: could not be read as UTF-8 text: {error}") from error
    except ContractError as error:
        raise error if store.is_local else ContractError(f"{error} (of {root})") from error
