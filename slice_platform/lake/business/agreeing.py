"""Whether what defs.yaml says of a business table agrees with the columns that its SQL makes."""

from slice_platform.lake.business.definition import MODEL_FILE, BusinessTable
from slice_platform.lake.partition_spec import check_partition
from slice_platform.lake.projection_checks import check_projections
from slice_platform.yaml_lines import Place, YamlFile


def check_agreement(source: YamlFile, table: BusinessTable) -> None:
    """Return if it does.

    Raises:
        ContractError: a column is not there or does not fit; the message names file, line and field.
    """
    spec = table.spec
    for field, names in (("key", spec.key), ("cluster_by", spec.cluster_by)):
        for position, name in enumerate(names):
            _check_ordered(source, table, name, ("attributes", field, position))
    for name in spec.columns:
        _check_known(source, table, name, ("attributes", "columns", name))
    _check_division(source, table)
    _check_chart(source, table)
    check_projections(source, table, spec.projections)


def _check_known(source: YamlFile, table: BusinessTable, name: str, place: Place) -> None:
    if name not in table.types:
        raise source.error(place, f"{name!r} is not a column of {MODEL_FILE}; columns: {', '.join(table.types)}")


def _check_ordered(source: YamlFile, table: BusinessTable, name: str, place: Place) -> None:
    _check_known(source, table, name, place)
    if table.types[name].is_nested:
        raise source.error(place, f"{name!r} is of type {table.types[name]}, which has no order")


def _check_division(source: YamlFile, table: BusinessTable) -> None:
    spec, says = table.spec.partition, table.bound.is_partitioned
    is_divided = spec is not None and spec.grain != "none"
    if spec is not None and spec.from_path:
        raise source.error(("attributes", "partition", "from_path"), "a business table has no paths; remove it")
    if spec is not None:
        check_partition(source, spec, table.types, elsewhere=MODEL_FILE)
    if says and not is_divided:
        problem = f"{MODEL_FILE} says $partition_start or $partition_end, so the table needs a partition: "
        raise source.error(("attributes", "partition"), f"{problem}{{column: .., grain: day, start: ..}}")
    if is_divided and not says:
        problem = (
            f"{MODEL_FILE} says neither $partition_start nor $partition_end, so that it would give all rows for each "
            "partition; select by them, or remove `partition` for a table that is made whole"
        )
        raise source.error(("attributes", "partition"), problem)


def _check_chart(source: YamlFile, table: BusinessTable) -> None:
    chart = table.spec.chart
    if chart is None:
        return
    for field, name in (("x", chart.x), ("y", chart.y), ("by", chart.by)):
        if name is not None:
            _check_ordered(source, table, name, ("attributes", "chart", field))
    if table.types[chart.y].kind not in ("integer", "number"):
        raise source.error(("attributes", "chart", "y"), f"{chart.y!r} is of type {table.types[chart.y]}; name numbers")
