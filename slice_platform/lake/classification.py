"""Classes of data: which columns anyone may look at, and which not."""

OPEN_CLASSES = ("public", "internal")


def is_closed(classification: str | None) -> bool:
    """Whether values of a column of this class are kept from pages that are open to many; an unknown class is."""
    return classification is not None and classification not in OPEN_CLASSES
