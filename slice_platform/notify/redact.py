"""Secrets are blacked out before a text is stored or sent: a traceback or a log may quote them."""

import re

HIDDEN = "[hidden]"
_VALUE = r"""(?:"[^"\n]*"|'[^'\n]*'|[^\s,;&"'\\)}\]]{1,2000})"""
_NAMED = (
    r"pass(?:word|wd|phrase)?|pwd|secret(?:[_-]?(?:access)?[_-]?key)?|(?:api|access|auth|private|signing|account)[_-]?key"
    r"|(?:\w{1,60}[_-])?token|credentials?|client[_-]?secret|(?:aws[_-])?(?:secret|session)[\w-]*"
)

# Each keeps what stands in its first group and hides the rest.
# Every repetition has a bound where it could begin anywhere: a text may be long, and hostile.
_PATTERNS = (
    # A key that is several lines long, also where it was cut off.
    re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    # user:password@ of a URL; a password may hold any sign but white space.
    re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://[^\s:/@]{0,200}:)[^\s\"'<>]{1,500}(?=@)", re.IGNORECASE),
    re.compile(
        r"(\bAuthorization\b[\"']?\s*[:=]\s*[\"']?(?:(?:Bearer|Basic|Token|AWS4-HMAC-SHA256)\s+)?)[^\s\"',]+",
        re.IGNORECASE,
    ),
    re.compile(r"(\bBearer\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
    re.compile(r"()\bxox[a-z]-[A-Za-z0-9-]{8,}|\bxapp-[A-Za-z0-9-]{8,}"),  # Slack
    re.compile(r"(https://hooks\.slack\.com/(?:services|workflows)/)\S+"),
    re.compile(r"()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),  # AWS
    re.compile(r"([?&](?:X-Amz-(?:Signature|Credential|Security-Token)|Signature|sig)=)[^&\s\"']+", re.IGNORECASE),
    re.compile(r"()\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"),
    re.compile(r"()\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*"),  # a JSON web token
    # name=value, name: value, "name": "value", --name value
    re.compile(
        rf"""(\b(?:\w{{0,60}}(?:password|passwd)|(?:\w{{0,60}}[_-])?(?:{_NAMED}))["']?\s*(?:=>|[:=])\s*){_VALUE}""",
        re.IGNORECASE,
    ),
    re.compile(rf"((?<!-)--(?:[\w-]{{0,60}}-)?(?:{_NAMED})[ =]){_VALUE}", re.IGNORECASE),
)


def redact(text: str) -> str:
    """The text with `[hidden]` in place of whatever looks like a password, key or token.

    It errs on the side of hiding: a value that follows `password=` is hidden, whatever it is.
    """
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\g<1>{HIDDEN}", text) if pattern.groups else pattern.sub(HIDDEN, text)
    return text
