"""Blot keys and passwords out of what a record keeps: known ones, and what looks like one.

The same is done to a call before it is looked up, so that what was blotted out still matches.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from urllib.parse import quote, quote_plus

BLOT = "***"
_MIN_CHARS = 6
"""Shorter ones are no secrets: servers of one's own take ``none`` or ``x`` for a key."""
_WHOLE_WORD_CHARS = 12
"""Shorter secrets are blotted out only where they stand by themselves: they may be a word."""

# A prompt may show JSON, in which ``\n`` stands for the end of a line and ``\"`` for a mark.
_START = r"(?:(?<!\w)|(?<=\\[nrt]))"
_GAP = r"(?:\s|\\+[nrt])"
_MARK = r"""(?:\\*["'])?"""
_GOES_ON = r"""(?!\\+[nrt"'])"""

_FORMS = re.compile(
    _START
    + "(?:"
    + "|".join(
        (
            r"sk-[A-Za-z0-9_-]{16,}",
            r"(?:tvly|pplx|hf|gsk|xai|r8|glpat|shpat)[-_][A-Za-z0-9_-]{16,}",
            r"gh[a-z]_[A-Za-z0-9]{30,}",
            r"github_pat_[A-Za-z0-9_]{30,}",
            r"xox[a-z]-[A-Za-z0-9-]{10,}",
            r"(?:AKIA|ASIA)[A-Z0-9]{16}\b",
            r"AIza[A-Za-z0-9_-]{35}",
            r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+",
        )
    )
    + r")|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
)
"""Forms that services give their keys, and tokens and private keys in their own formats."""

# Bounded everywhere: a page that a tool read must not make these slow.
_AROUND: tuple[re.Pattern[str], ...] = (
    # user:password@ in an address
    re.compile(
        rf"(?P<keep>{_START}[a-z][a-z0-9+.-]{{1,20}}://)[^\s/@\"'<>]{{1,400}}(?=@)", re.IGNORECASE
    ),
    # Authorization: Bearer …
    re.compile(
        rf"(?P<keep>{_START}authorization{_MARK}{_GAP}{{0,3}}[:=]{_GAP}{{0,3}}{_MARK}"
        rf"(?:[a-z]{{3,20}}{_GAP}{{1,3}})?)(?:{_GOES_ON}[^\s\"',;]){{1,4000}}",
        re.IGNORECASE,
    ),
    # Bearer …, where it can't be a word
    re.compile(
        rf"(?P<keep>{_START}(?:bearer|basic){_GAP}{{1,3}})(?=[A-Za-z._~+/=-]{{0,400}}\d)"
        r"[A-Za-z0-9._~+/=-]{12,4000}",
        re.IGNORECASE,
    ),
    # ?api_key=… and api_key: …
    re.compile(
        r"(?P<keep>(?:[?&](?:key|token|sig|signature)=|"
        rf"{_START}(?:api[-_]?key|x-api-key|appid|access[-_]?token|refresh[-_]?token|"
        rf"client[-_]?secret|password|passwd){_MARK}{_GAP}{{0,3}}[:=]{_GAP}{{0,3}}{_MARK}))"
        rf"(?:{_GOES_ON}[^\s\"'&,;<>]){{4,4000}}",
        re.IGNORECASE,
    ),
)
_WHY = (
    "a password in an address",
    "an authorization header",
    "an authorization header",
    "the value of a key or password",
)
"""Of each of `_AROUND`, what it finds."""
KNOWN = "a key or password that is set here"
FORM = "it has the form of a key"
NAMED = "its name says that it is secret"

_SECRET_NAMES = (
    r"(?:authorization|cookie|api[-_]?key|access[-_]?key|access[-_]?token|"
    r"auth[-_]?token|refresh[-_]?token|client[-_]?secret|secret|secret[-_]?key|password|passwd|"
    r"passphrase|private[-_]?key|credentials?)"
)
_NAMES = re.compile(rf"(?:.{{0,40}}[-_])?{_SECRET_NAMES}", re.IGNORECASE)
"""Names whose values are kept out whatever they look like."""
_NAMED = re.compile(
    rf"""(?P<keep>(?P<slashes>\\*)"(?:[^"\\]{{0,40}}[-_])?{_SECRET_NAMES}(?P=slashes)"\s{{0,3}}:\s{{0,3}})"""
    r"""(?:(?P<opening>(?P=slashes)")|-?\d[\d.eE+-]{0,60}(?=[\s,}\]]))""",
    re.IGNORECASE,
)
"""Such a name and the beginning of its value in JSON, or in JSON inside a text of JSON, which has
more backslashes: prompts show values so, and must lose what the values themselves lose."""
_QUOTE = re.compile(r'(\\*)"')


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
        stages: list[tuple[str, Callable[[str], str]]] = []
        self._known = re.compile("|".join(spelled)) if spelled else None
        if self._known is not None:
            stages.append((KNOWN, partial(self._known.sub, BLOT)))
        stages += [(NAMED, _without_named), (FORM, partial(_FORMS.sub, BLOT))]
        around = zip(_WHY, _AROUND, strict=True)
        stages += [(why, partial(each.sub, rf"\g<keep>{BLOT}")) for why, each in around]
        self._stages = tuple(stages)
        """One after the other; with each, why it blots."""

    def text(self, text: str) -> str:
        """Return `text`, each secret in it replaced by asterisks; twice is once."""
        for _, blot in self._stages:
            text = blot(text)
        return text

    def without_known(self, text: str) -> str:
        """Return `text` without the secrets that are known; what only looks like one stays."""
        return text if self._known is None else self._known.sub(BLOT, text)

    def reasons(self, text: str) -> tuple[str, ...]:
        """Return why `text` would lose something, in plain words; (): it would lose nothing.

        >>> Blotter(["correct-horse-1"]).reasons("correct-horse-1, Bearer abc123def456g")
        ('a key or password that is set here', 'an authorization header')
        """
        found: list[str] = []
        for why, blot in self._stages:
            blotted = blot(text)
            if blotted != text:
                found.append(why)
            text = blotted
        return tuple(dict.fromkeys(found))

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
        return BLOT if is_named_secret(name, value) else self.json(value)

    def _pair(self, pair: Any) -> Any:
        match pair:
            case [str(name), value]:
                return [self.text(name), self.named(name, value)]
            case _:
                return self.json(pair)


def is_named_secret(name: str, value: Any) -> bool:
    """Tell whether `value` is text or a number, and secret because of its name.

    >>> is_named_secret("db_password", "x"), is_named_secret("password", None)
    (True, False)
    """
    is_plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return is_plain and value != "" and _NAMES.fullmatch(name) is not None


def _without_named(text: str) -> str:
    r"""Return `text` with asterisks for the values that have a secret's name in the JSON in it.

    >>> _without_named('{"db_password": "a \\"b\\" c", "n": "{\\"cookie\\":\\"x\\"}", "secret": 1}')
    '{"db_password": "***", "n": "{\\"cookie\\":\\"***\\"}", "secret": "***"}'
    """
    parts: list[str] = []
    at = 0
    while (found := _NAMED.search(text, at)) is not None:
        slashes, end, value = found["slashes"], found.end(), BLOT
        if found["opening"] is not None:
            closed_at, end = _closing(text, end, _level(slashes))
            value = BLOT if closed_at > found.end() else ""
        parts += [text[at : found.start()], found["keep"], f'{slashes}"{value}{slashes}"']
        at = end
    return "".join(parts) + text[at:] if parts else text


def _closing(text: str, start: int, level: int) -> tuple[int, int]:
    """Return where the text in JSON that begins at `start` ends, and where what is after it begins.

    Where it isn't closed, it ends with the text of JSON that it is in.
    """
    for mark in _QUOTE.finditer(text, start):
        if (found := _level(mark[1])) <= level:
            at = mark.end() - 2**found
            return at, mark.end() if found == level else at
    return len(text), len(text)


def _level(slashes: str) -> int:
    """Return how many texts of JSON a quotation mark after `slashes` is inside."""
    count = len(slashes)
    return (~count & (count + 1)).bit_length() - 1


def _pattern(secret: str) -> str:
    """Return a pattern for `secret` as it may be written: plain, in an address, inside base64."""
    addresses = [quote(secret, safe=""), quote(secret), quote_plus(secret)]
    # Of an address either case of its hexadecimal digits says the same.
    addresses += [re.sub("%..", lambda found: found[0].lower(), each) for each in addresses]
    written = [secret, *addresses, secret.replace("/", "\\/")]
    for is_ascii in (False, True):
        once = json.dumps(secret, ensure_ascii=is_ascii)[1:-1]
        written += [once, json.dumps(once, ensure_ascii=is_ascii)[1:-1]]  # JSON in a text of JSON
    spellings = dict.fromkeys(sorted(written, key=len, reverse=True))
    if len(secret) < _WHOLE_WORD_CHARS:
        plain = "|".join(map(re.escape, spellings))
        return rf"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))(?:{plain})(?![A-Za-z0-9])"
    data = secret.encode("utf-8", "surrogatepass")
    for before in range(3):
        # Only the characters that the secret alone decides, wherever it begins.
        packed = base64.b64encode(b"\0" * before + data).decode()
        whole = packed[(0, 2, 3)[before] : (len(data) + before) // 3 * 4]
        spellings[whole] = None
        spellings[whole.replace("+", "-").replace("/", "_")] = None
    return "|".join(map(re.escape, spellings))
