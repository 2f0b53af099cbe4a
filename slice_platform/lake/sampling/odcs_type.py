"""A type as a contract spells it, before there is a contract."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from open_data_contract_standard.model import SchemaProperty

from slice_platform.lake.types import Kind, LogicalType
from slice_platform.lake.value_rules import read_type
from slice_platform.yaml_lines import YamlFile

_NOWHERE = YamlFile(Path("sample"), None, None)


@dataclass(frozen=True)
class OdcsType:
    """What stands in a property: logicalType, physicalType, logicalTypeOptions, properties, items."""

    kind: Kind
    physical: str | None = None
    options: tuple[tuple[str, str | bool], ...] = ()
    fields: "tuple[tuple[str, OdcsType], ...]" = ()
    items: "OdcsType | None" = None

    @cached_property
    def logical(self) -> LogicalType:
        """The type that a contract with this spelling gets: the judge of values is the one of the ingest."""
        return read_type(_NOWHERE, self._property("sample"), ())

    def _property(self, name: str) -> SchemaProperty:
        return SchemaProperty(
            name=name,
            logicalType=self.kind,
            physicalType=self.physical,
            logicalTypeOptions=dict(self.options) or None,
            properties=[inner._property(field) for field, inner in self.fields] or None,  # noqa: SLF001  # of its own
            items=self.items._property("items") if self.items else None,  # noqa: SLF001
        )


STRING = OdcsType("string")
INTEGER = OdcsType("integer")
NUMBER = OdcsType("number")
BOOLEAN = OdcsType("boolean")
DATE = OdcsType("date")
TIME = OdcsType("time")
TIMESTAMP = OdcsType("timestamp")
INSTANT = OdcsType("timestamp", options=(("timezone", True),))


def decimal(precision: int, scale: int) -> OdcsType:
    return OdcsType("number", physical=f"decimal({precision},{scale})")


def spelled(kind: Kind, jdk_format: str) -> OdcsType:
    """A date, time or timestamp that is not ISO 8601; an offset in the format makes it an instant."""
    options: tuple[tuple[str, str | bool], ...] = (("format", jdk_format),)
    return OdcsType(kind, options=(*options, ("timezone", True)) if "X" in jdk_format else options)
