"""Secrets are blacked out before a text is stored or sent: a traceback or a log may quote them."""

import re
from collections.abc import Iterator, Mapping

HIDDEN = "[hidden]"

# --- what a secret looks like

# Each keeps what stands in its first group and hides the rest.
# Every repetition has a bound where it could begin anywhere: a text may be long, and hostile.
_LOOKS = (
    # A key that is several lines long, also where it was cut off.
    re.compile(r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----).*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL),
    # user:password@ of a URL; a password may hold any sign but white space.
    re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://[^\s:/@]{0,200}:)[^\s\"'<>]{1,500}(?=@)", re.IGNORECASE),
    re.compile(
        r"(\bAuthorization\b[\\\"']{0,9}\s*+[:=]\s*+[\\\"']{0,9}(?:(?:Bearer|Basic|Token|AWS4-HMAC-SHA256)\s+)?)[^\s\\\"',]+",
        re.IGNORECASE,
    ),
    re.compile(r"(\bBearer\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
    re.compile(r"()\bxox[a-z]-[A-Za-z0-9-]{8,}|\bxapp-[A-Za-z0-9-]{8,}"),  # Slack
    re.compile(r"(https://hooks\.slack\.com/(?:services|workflows)/)\S+"),
    re.compile(r"()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),  # AWS
    re.compile(r"([?&](?:X-Amz-(?:Signature|Credential|Security-Token)|Signature|sig)=)[^&\s\"']+", re.IGNORECASE),
    re.compile(r"()\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"),
    re.compile(r"()(?<![\w-])sk-(?=[A-Za-z_-]{0,200}\d)[\w-]{16,}"),  # OpenAI, Anthropic
    re.compile(r"()\beyJ[\w-]{8,2000}\.eyJ[\w-]{8,}\.[\w-]*"),  # a JSON web token
    # The password of a command line, as one text or as a list of arguments.
    re.compile(r"(\b(?:mysql|mariadb)[\w-]{0,20}\b[^\n|;]{0,300}?[\s\"']-p)[^\s\"',]+"),
    re.compile(r"(\bsshpass\b[\s\"',]{1,9}-p[\s\"',]{0,9})[^\s\"',]+"),
    re.compile(
        r"(\bcurl\b[^\n|;]{0,300}?[\s\"'](?:-u|-U|--user|--proxy-user)[\s\"',=]{0,9}[^\s:\"']{1,100}:)[^\s\"']+"
    ),
    # The password of a statement in SQL.
    re.compile(
        r"(\b(?:IDENTIFIED\s{1,9}(?:WITH\s{1,9}\S{1,60}\s{1,9})?(?:BY|AS)\s{1,9})?(?:PASSWORD[\s(]{1,9})?(?<=[\s(]))"
        r"\\{0,7}(?P<quote>['\"])(?:(?!(?P=quote))[^\n])+(?P=quote)?",
        re.IGNORECASE,
    ),
    re.compile(r"(\bIDENTIFIED\s{1,9}(?:WITH\s{1,9}\S{1,60}\s{1,9})?BY\s{1,9})[^\s;,'\"]+"),
)

# --- what is called a secret: name=value, name: value, "name": "value", --name value

_KEY = "api|access|account|auth|cipher|decryption|encryption|hmac|license|master|private|service|shared|signing|ssh"
_SECRET = re.compile(
    r"passw(?:or)?d(?:_|s?\d*$)|passphrase|(?:^|_)pwd(?:_|$)|secret(?:s?$|_|key)|credentials?$|token\d*$"
    rf"|(?:{_KEY}|storage)_?key$|(?:^|_)session(?:_|$|id$)"
)
_OF_SENTENCES = re.compile(r"passw(?:or)?d|passphrase|secret$")  # may be several words
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[.-]+")

_NAMED = re.compile(
    r"""(?<![\w.-])-*+(?P<name>\w[\w.-]*+)(?P<end>[\\"'\]]{0,9}+)[ \t]*+(?:=>|[:=]{1,2})"""
    r"""(?P<space>[ \t]*+(?:\n[ \t]*+)?)"""
)
_OPTION = re.compile(
    r"""(?<![\w.-])--(?P<name>\w[\w.-]*+)"""
    r"""(?P<end>\\*+["'][ \t]*+,\s?[ \t]*+|[ \t]*+\\?\n[ \t]*+(?:-[ ])?|[ \t]++)(?P<space>)(?!--)"""
)
_QUOTED = re.compile(
    r"""[bfruBFRU]{0,2}+(?:"(?:\\.|[^"\\\n])*+"?|'(?:\\.|[^'\\\n])*+'?"""
    r"""|(?P<quote>\\+["'])(?:(?!(?<!\\)(?P=quote))[^\n])*+(?P=quote)?)"""
)
_LINE = re.compile(r"""(?:[^\n"]|"(?![,}\]\s]|$))+""")
_WORD = re.compile(r"""(?:\[[^\]\n]*+\]?|[^\s,;&"'\\)}\]]|\\(?![\\"'nrt]))+""")
_BLOCK = re.compile(r"[|>][-+\d]{0,3}[ \t]*+\n")  # of YAML


def redact(text: str) -> str:
    """The text with `[hidden]` in place of whatever looks like a password, key or token. Safe to do twice.

    It errs on the side of hiding: a value that follows `password=` is hidden, whatever it is, and behind `password: `
    the rest of the line is.
    """
    for pattern in _LOOKS:
        text = pattern.sub(rf"\g<1>{HIDDEN}", text)
    for pattern in (_NAMED, _OPTION):
        text = "".join(_without_values(text, pattern))
    return text


def redacted(document: object) -> object:
    """A document of JSON, with each of its texts redacted.

    It is redacted before it is written as one text: there quotes within quotes hide where a value ends.
    """
    if isinstance(document, Mapping):
        return {
            redact(str(name)): HIDDEN if _is_secret(str(name)) else redacted(value) for name, value in document.items()
        }
    if isinstance(document, list | tuple):
        return [redacted(one) for one in document]
    return redact(document) if isinstance(document, str) else document


def _is_secret(name: str) -> bool:
    return _SECRET.search(_WORDS.sub("_", name).lower()) is not None


def _without_values(text: str, pattern: re.Pattern[str]) -> Iterator[str]:
    """The pieces of the text, `HIDDEN` among them."""
    end = 0
    for found in pattern.finditer(text):
        if found.start() < end or not _is_secret(found["name"]):
            continue
        ends = _end_of_value(text, found)
        if ends > found.end():
            yield text[end : found.end()] + HIDDEN
            end = ends
    yield text[end:]


def _end_of_value(text: str, named: re.Match[str]) -> int:
    """Where the value ends that follows a name; its beginning where there is none."""
    begin = named.end()
    if (head := _BLOCK.match(text, begin)) is not None:
        return _end_of_block(text, named.start(), head.end())
    is_sentence = named["space"] and not named["end"] and _OF_SENTENCES.search(named["name"].lower())
    found = _QUOTED.match(text, begin) or (_LINE if is_sentence else _WORD).match(text, begin)
    return found.end() if found is not None else begin


def _end_of_block(text: str, name: int, begin: int) -> int:
    """The lines that stand deeper than that of the name."""
    line = text[text.rfind("\n", 0, name) + 1 : name]
    deeper = len(line) - len(line.lstrip(" \t")) + 1
    found = re.compile(rf"(?:[ \t]*+\n|[ \t]{{{deeper}}}[^\n]*+\n?)+").match(text, begin)
    return begin + len(text[begin : found.end()].rstrip("\n")) if found is not None else begin
