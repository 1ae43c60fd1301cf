"""Blot keys and passwords out of what a record keeps: known ones, and what looks like one.

The same is done to a call before it is looked up, so that what was blotted out still matches.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

BLOT = "***"
_MIN_CHARS = 6
"""Shorter ones are no secrets: servers of one's own take ``none`` or ``x`` for a key."""
_WHOLE_WORD_CHARS = 12
"""Shorter secrets are blotted out only where they stand by themselves: they may be a word."""

_FORMS = re.compile(
    "|".join(
        (
            r"\bsk-[A-Za-z0-9_-]{16,}",
            r"\b(?:tvly|pplx|hf|gsk|xai|r8|glpat|shpat)[-_][A-Za-z0-9_-]{16,}",
            r"\bgh[a-z]_[A-Za-z0-9]{30,}",
            r"\bgithub_pat_[A-Za-z0-9_]{30,}",
            r"\bxox[a-z]-[A-Za-z0-9-]{10,}",
            r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
            r"\bAIza[A-Za-z0-9_-]{35}",
            r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+",
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
        )
    )
)
"""Forms that services give their keys, and tokens and private keys in their own formats."""

# Bounded everywhere: a page that a tool read must not make these slow.
_AROUND: tuple[re.Pattern[str], ...] = (
    # user:password@ in an address
    re.compile(r"(?P<keep>\b[a-z][a-z0-9+.-]{1,20}://)[^\s/@\"'<>]{1,400}(?=@)", re.IGNORECASE),
    # Authorization: Bearer …
    re.compile(
        r"(?P<keep>\bauthorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:[a-z]{3,20}\s{1,3})?)"
        r"[^\s\"',;]{1,4000}",
        re.IGNORECASE,
    ),
    # Bearer …, where it can't be a word
    re.compile(
        r"(?P<keep>\b(?:bearer|basic)\s{1,3})(?=[A-Za-z._~+/=-]{0,400}\d)[A-Za-z0-9._~+/=-]{12,4000}",
        re.IGNORECASE,
    ),
    # ?api_key=… and api_key: …
    re.compile(
        r"(?P<keep>(?:[?&](?:key|token|sig|signature)=|"
        r"\b(?:api[-_]?key|x-api-key|appid|access[-_]?token|refresh[-_]?token|client[-_]?secret|"
        r"password|passwd)[\"']?\s{0,3}[:=]\s{0,3}[\"']?))[^\s\"'&,;<>]{4,4000}",
        re.IGNORECASE,
    ),
)

_NAMES = re.compile(
    r"(?:.{0,40}[-_])?(?:authorization|cookie|api[-_]?key|access[-_]?key|access[-_]?token|"
    r"auth[-_]?token|refresh[-_]?token|client[-_]?secret|secret|secret[-_]?key|password|passwd|"
    r"passphrase|private[-_]?key|credentials?)",
    re.IGNORECASE,
)
"""Names whose values are kept out whatever they look like."""


class Blotter:
    """Blots secrets out of text and of JSON.

    >>> blotter = Blotter(["correct-horse-1"])
    >>> blotter.text("GET /?key=correct-horse-1 with https://me:pw@host/ and Bearer abc123def456g")
    'GET /?key=*** with https://***@host/ and Bearer ***'
    >>> blotter.json({"headers": {"X-Api-Key": "17"}, "n": 3})
    {'headers': {'X-Api-Key': '***'}, 'n': 3}
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Know `secrets`; what looks like one is blotted out beside them."""
        known = sorted({each for each in secrets if len(each) >= _MIN_CHARS}, key=len, reverse=True)
        spelled = [_pattern(each) for each in known]
        self._known = re.compile("|".join(spelled)) if spelled else None

    def text(self, text: str) -> str:
        """Return `text`, each secret in it replaced by asterisks; twice is once."""
        if self._known is not None:
            text = self._known.sub(BLOT, text)
        text = _FORMS.sub(BLOT, text)
        for pattern in _AROUND:
            text = pattern.sub(rf"\g<keep>{BLOT}", text)
        return text

    def json(self, value: Any) -> Any:
        """Return JSON, or what `codecs.encode` made, without secrets in its texts and its keys.

        What holds one inside bytes or an array can't be mended, and is described instead of kept.
        """
        match value:
            case str():
                return self.text(value)
            case list():
                return [self.json(each) for each in value]
            case {"$": "dict", "v": list(pairs)}:
                return {"$": "dict", "v": [self._pair(pair) for pair in pairs]}
            case {"$": str(tag), "v": str(packed)} if self.text(packed) != packed:
                text = "it holds something that must not be kept"
                return {"$": "unkept", "type": tag, "text": text}
            case dict():
                return {self.text(key): self.named(key, each) for key, each in value.items()}
            case _:
                return value

    def named(self, name: str, value: Any) -> Any:
        """Return the value that `name` has, without secrets; of some names nothing is kept."""
        is_plain = isinstance(value, str | int | float) and not isinstance(value, bool)
        if is_plain and value != "" and _NAMES.fullmatch(name):
            return BLOT
        return self.json(value)

    def _pair(self, pair: Any) -> Any:
        match pair:
            case [str(name), value]:
                return [self.text(name), self.named(name, value)]
            case _:
                return self.json(pair)


def _pattern(secret: str) -> str:
    """Return a pattern for `secret` as it may be written: plain, in an address, inside base64."""
    spellings = dict.fromkeys([secret, quote(secret, safe=""), secret.replace("/", "\\/")])
    if len(secret) < _WHOLE_WORD_CHARS:
        plain = "|".join(map(re.escape, spellings))
        return rf"(?<![A-Za-z0-9])(?:{plain})(?![A-Za-z0-9])"
    data = secret.encode("utf-8", "surrogatepass")
    for before in range(3):
        # Only the characters that the secret alone decides, wherever it begins.
        packed = base64.b64encode(b"\0" * before + data).decode()
        whole = packed[(0, 2, 3)[before] : (len(data) + before) // 3 * 4]
        spellings[whole] = None
        spellings[whole.replace("+", "-").replace("/", "_")] = None
    return "|".join(map(re.escape, spellings))
