"""The two parameters of a model: from when, and to before when, the partition lasts that is being made."""

from datetime import UTC, datetime
from pathlib import Path

from slice_platform.lake.business.model_text import ModelText
from slice_platform.lake.business.model_tree import PARAMETERS, Parameter, parameters, read_model

_UNNAMED = Path("model.sql")


def is_partitioned(sql: str) -> bool:
    """Whether the model says `$partition_start` or `$partition_end`, so that it makes one partition at a time.

    Raises:
        ContractError: it is no model.
    """
    return bool(parameters(read_model(ModelText(_UNNAMED, sql))))


def at_partition(sql: str, start: datetime, end: datetime) -> str:
    """The model with the two moments in the place of its parameters, as literals of type TIMESTAMPTZ in UTC.

    All other text is as it was, and so are the lines: a moment takes none. A model without parameters stays as it is.

    Raises:
        ContractError: it is no model.
        ValueError: a moment has no zone.
    """
    return put_moments(sql, parameters(read_model(ModelText(_UNNAMED, sql))), start, end)


def put_moments(sql: str, found: list[Parameter], start: datetime, end: datetime) -> str:
    """As `at_partition`, where it is known where the parameters stand."""
    moments = dict(zip(PARAMETERS, (moment_literal(start), moment_literal(end)), strict=True))
    text = sql.encode()
    for parameter in reversed(found):
        text = text[: parameter.start] + moments[parameter.name].encode() + text[parameter.end :]
    return text.decode()


def moment_literal(moment: datetime) -> str:
    """A moment as it stands in SQL; what prunes files understands it there."""
    if moment.tzinfo is None:
        raise ValueError(f"the moment {moment!r} has no zone, so it is not known which moment it is; give it one")
    return f"TIMESTAMPTZ '{moment.astimezone(UTC).isoformat(sep=' ')}'"
