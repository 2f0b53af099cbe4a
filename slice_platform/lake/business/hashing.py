"""HMAC-SHA256 in DuckDB's SQL (RFC 2104). The key is in variables of the connection, never in a query's text.

A plain hash would not do: whoever has a list of addresses could hash them all, and know who is who.
"""

from hashlib import sha256

_BLOCK_BYTES = 64
_INNER, _OUTER = "slice_hmac_inner", "slice_hmac_outer"
_INNER_PAD, _OUTER_PAD = 0x36, 0x5C


def hash_variables(key: bytes) -> tuple[str, ...]:
    """The statements that make a connection ready for `hashed`.

    Raises:
        ValueError: the key is empty.
    """
    if not key:
        raise ValueError("the key of the hashes is empty, so anyone could make the same; give it at least 32 bytes")
    block = (sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
    pads = ((_INNER, _INNER_PAD), (_OUTER, _OUTER_PAD))
    return tuple(f"set variable {name} = unhex('{bytes(b ^ pad for b in block).hex()}')" for name, pad in pads)


def key_digest(key: bytes) -> str:
    """Another one for another key, so that what was hashed under the former is known to be behind; it tells no key."""
    return sha256(b"slice, which key\0" + key).hexdigest()[:12]


def hashed(text: str) -> str:
    """SQL of the HMAC of the SQL expression `text`, of type VARCHAR, as 64 hex digits; NULL stays NULL.

    Where the variables are not set the query fails: without a check every value would be NULL.
    """
    inner, outer = (f"coalesce(getvariable('{name}'), error('{name} is not set')::blob)" for name in (_INNER, _OUTER))
    return f"sha256({outer} || unhex(sha256({inner} || encode({text}))))"
