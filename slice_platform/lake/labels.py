"""Owners and tags as Dagster takes them; its own error would not say where they stand."""

import re
from collections.abc import Iterable, Mapping

from slice_platform.yaml_lines import YamlFile

TIER_TAG = "slice/tier"  # set by the platform
_OWNER = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}|team:.+")
_TAG_KEY, _TAG_VALUE = re.compile(r"([\w.-]{1,63}/)?[\w.-]{1,63}", re.ASCII), re.compile(r"[\w.-]{0,63}", re.ASCII)


def check_labels(source: YamlFile, owners: Iterable[str], tags: Mapping[str, str]) -> None:
    """Return if Dagster takes them.

    Raises:
        ContractError: it does not take one; the message names file, line and field.
    """
    for position, owner in enumerate(owners):
        if not _OWNER.fullmatch(owner):
            problem = f"expected an e-mail address or team:<name>, got {owner!r}"
            raise source.error(("attributes", "owners", position), problem)
    for key, value in tags.items():
        place = ("attributes", "tags", key)
        if not _TAG_KEY.fullmatch(key) or key == TIER_TAG:
            problem = f"a tag is letters, digits and _.- with at most one slash, not {TIER_TAG!r}; got {key!r}"
            raise source.error(place, problem)
        if not _TAG_VALUE.fullmatch(value):
            raise source.error(place, f"a tag's value is at most 63 letters, digits and _.-; got {value!r}")
