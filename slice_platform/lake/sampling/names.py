"""What the name of a column suggests. A name proves nothing: it only chooses between what the values allow."""

import re
from typing import Final

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_CODES: Final = {
    "zip", "zipcode", "postal", "postcode", "plz", "phone", "telephone", "tel", "mobile", "fax", "ssn", "iban", "isbn",
    "ean", "gtin", "upc", "barcode", "account", "fips", "imei", "msisdn",
}  # fmt: skip
_MONEY: Final = {
    "amount", "price", "cost", "fee", "tax", "fare", "balance", "salary", "revenue", "payment", "discount", "money",
    "subtotal", "wage",
}  # fmt: skip
_DATES: Final = {"date", "day", "time", "timestamp", "ts", "at", "datetime", "epoch", "dt", "on"}
_PERSONAL: Final = {
    "an e-mail address": ({"email"}, {"mail"}, {"e", "mail"}),
    "a phone number": ({"phone"}, {"telephone"}, {"mobile"}, {"msisdn"}, {"fax"}),
    "a person's name": (
        {"first", "name"}, {"last", "name"}, {"full", "name"}, {"firstname"}, {"lastname"}, {"surname"}, {"fullname"},
        {"customer", "name"}, {"user", "name"}, {"username"}, {"contact", "name"}, {"middle", "name"},
        {"maiden", "name"}, {"patient", "name"}, {"employee", "name"}, {"given", "name"}, {"family", "name"},
    ),
    "an identity number": ({"ssn"}, {"passport"}, {"tax", "id"}, {"national", "id"}, {"social", "security"}),
    "an IP address": ({"ip"}, {"ipaddress"}, {"ipv4"}, {"ipv6"}),
    "an address": ({"address"}, {"street"}, {"addr"}),
    "a date of birth": ({"birth"}, {"birthday"}, {"birthdate"}, {"dob"}),
    "a bank account or card": ({"iban"}, {"card", "number"}, {"credit", "card"}, {"account", "number"}, {"cvv"}),
}  # fmt: skip
_CHANGED: Final = {"updated", "changed", "modified", "modification", "update", "change", "version", "revision"}
_HAPPENED: Final = {
    "event", "occurred", "happened", "ordered", "order", "created", "creation", "started", "start", "sold", "paid",
    "transaction", "trip", "pickup", "visit", "logged", "recorded", "measured", "observed", "posted", "sent", "booking",
    "received", "sale", "time", "timestamp", "ts", "date", "day", "datetime",
}  # fmt: skip
_PLANNED: Final = {"birth", "dob", "birthday", "expiry", "expires", "expiration", "due", "until", "end", "valid", "to",
                   "deadline", "deleted", "scheduled", "birthdate", "ended", "finished", "delivered"}  # fmt: skip
_KEYS: Final = {"id", "uuid", "guid", "key", "pk", "identifier", "rowid"}
_NUMBERED: Final = {"no", "nr", "number", "code", "sku", "isbn", "iban", "ref", "reference", "num", "tailnum"}


def words(name: str) -> list[str]:
    """orderDate, order_date and ORDER-DATE are all [order, date]."""
    return [word.lower() for word in _WORDS.findall(name)]


def is_code(name: str) -> bool:
    """Whether digits under this name are likely spelled, not counted: zip codes, phone and account numbers."""
    found = set(words(name))
    return bool(found & _CODES) and not found & {"count", "balance", "amount", "total", "days", "age", "id"}


def is_money(name: str) -> bool:
    return bool(set(words(name)) & _MONEY) and not set(words(name)) & {"count", "id", "type", "rate", "percent", "code"}


def is_date(name: str) -> bool:
    return bool(set(words(name)) & _DATES)


def is_changed_at(name: str) -> bool:
    """Whether the name tells of the last change of a row."""
    return bool(set(words(name)) & _CHANGED)


def happened_rank(name: str) -> int | None:
    """How well a name says when the thing itself happened: 0 is best; None if it says something else."""
    found = set(words(name))
    if found & (_CHANGED | _PLANNED):
        return None
    if found & {"event", "occurred", "happened"}:
        return 0
    return 1 if found & _HAPPENED else 2


def key_rank(name: str, dataset: str) -> int | None:
    """How well a name says that it names a row: 0 is best; None if it does not say so."""
    found = words(name)
    if not found:
        return None
    own = words(dataset)
    singular = [word.removesuffix("s") for word in own]
    if len(found) == 1 and found[0] in _KEYS:
        return 0
    if found[-1] in _KEYS:
        return 1 if found[:-1] in (own, singular, own[-1:], singular[-1:]) else 2
    if found[-1] in _NUMBERED or re.fullmatch(r"[a-z]*(id|uuid)", "".join(found)):
        return 3
    return None


def personal(name: str) -> str | None:
    """What of a person the column may hold, by its name."""
    found = set(words(name))
    for what, signs in _PERSONAL.items():
        if any(sign <= found for sign in signs) or (what == "a person's name" and found == {"name"}):
            return what
    return None
