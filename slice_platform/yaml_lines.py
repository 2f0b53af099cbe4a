"""YAML with the line of every value, so that an error can point at the place a person must mend."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from slice_platform.errors import ContractError

Place: TypeAlias = tuple[str | int, ...]
_NO_TEXT = re.compile("[\0\ud800-\udfff]")  # YAML can spell them; neither SQL nor UTF-8 can hold them


@dataclass(frozen=True)
class YamlFile:
    """A parsed YAML file that knows where each value stands."""

    path: Path
    content: Any
    root: yaml.Node | None

    def line(self, place: Place) -> int:
        """The line of `place`, or of the nearest value around it. Lines start at 1."""
        node, line = self.root, 1
        for step in place:
            child = _child(node, step)
            if child is None:
                break
            key_or_item, node = child
            line = key_or_item.start_mark.line + 1
        return line

    def error(self, place: Place, problem: str) -> ContractError:
        where = ".".join(str(step) for step in place) or "the file"
        return ContractError(f"{self.path}:{self.line(place)}: {where}: {problem}")


def read_yaml(path: Path) -> YamlFile:
    """Parse a YAML file.

    Raises:
        ContractError: the file is missing, is not UTF-8, is not YAML or has a key twice; the message has the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: could not be read as UTF-8 text: {error}") from error
    return parse_yaml(path, text)


def parse_yaml(path: Path, text: str) -> YamlFile:
    """Parse text that is, or will be, the YAML file `path`.

    Raises:
        ContractError: it is not YAML or has a key twice; the message has the line.
    """
    try:
        root = yaml.compose(text, Loader=_StrictLoader)
        return YamlFile(path, yaml.load(text, Loader=_StrictLoader), root)  # noqa: S506 -- it is a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ContractError(f"{path}:{line}: not valid YAML: {error.problem} {error.context or ''}".rstrip()) from error
    except RecursionError as error:
        raise ContractError(f"{path}:1: not valid YAML: it is nested too deeply, or holds itself") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ContractError(f"{path}:{line}: not valid YAML: {error.reason}") from error


class _StrictLoader(yaml.SafeLoader):
    """Safe loading that also points at a key given twice, and at a date such as 2013-02-30."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 -- PyYAML's signature
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:  # `!!timestamp x`
            problem = f"{node.value!r} is not what its tag says: {error}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        value = super().construct_scalar(node)
        if _NO_TEXT.search(str(value)):
            problem = f"{value!r} has a character that no text has"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                problem = f"the key {key.value!r} appears twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None
