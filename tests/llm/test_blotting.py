"""Secrets are blotted out wherever they stand, and nothing else is."""

from __future__ import annotations

import base64
import json
import time
from typing import Any
from urllib.parse import quote, quote_plus

import numpy as np
import pytest

from portia_nb.llm.blotting import Blotter
from portia_nb.model import codecs

SECRET = "pw/canary-4fQ9+L7z="
KNOWN = Blotter([SECRET, "x", ""])

WRITTEN = {
    "plain": f"the key is {SECRET}!",
    "in a word": f"key{SECRET}key",
    "percent-encoded": f"?q={quote(SECRET, safe='')}",
    "escaped": SECRET.replace("/", "\\/"),
    "base64": base64.b64encode(f"user:{SECRET}".encode()).decode(),
    "base64, one on": base64.b64encode(f"1user:{SECRET}".encode()).decode(),
    "base64, two on": base64.b64encode(f"12user:{SECRET}".encode()).decode(),
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_a_known_secret_is_blotted_out_however_it_is_written(text: str):
    blotted = KNOWN.text(text)
    assert "***" in blotted
    for piece in (SECRET, quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode()[4:-4]):
        assert piece not in blotted
    assert KNOWN.text(blotted) == blotted


LOOKS = {
    "OpenAI's": ("sk-proj-abcdefghij0123456789", "***"),
    "Tavily's": ("tvly-dev-abcdefghij0123", "***"),
    "GitHub's": ("ghp_" + "a1" * 18, "***"),
    "AWS's": ("AKIAABCDEFGHIJKLMNOP", "***"),
    "Slack's": ("xoxb-12345-abcdef", "***"),
    "a token": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "***"),
    "an address": ("postgres://me:pa55@db/x", "postgres://***@db/x"),
    "a name in it": ("https://token@host/x", "https://***@host/x"),
    "a header": ("Authorization: Bearer abc", "Authorization: Bearer ***"),
    "a header in JSON": (
        '{"authorization": "Basic YTpi", "n": 1}',
        '{"authorization": "***", "n": 1}',
    ),
    "a scheme": ("send Bearer abcdef123456.x", "send Bearer ***"),
    "a parameter": ("/data?q=Oslo&appid=abcd1234", "/data?q=Oslo&appid=***"),
    "an assignment": ('api_key="abcd1234"', 'api_key="***"'),
    "a private key": (
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nnext",
        "***\nnext",
    ),
}


@pytest.mark.parametrize(("text", "blotted"), LOOKS.values(), ids=LOOKS)
def test_what_looks_like_a_secret_is_blotted_out(text: str, blotted: str):
    assert Blotter().text(text) == blotted


ORDINARY = [
    "The bearer of this basic understanding carries a token of appreciation.",
    "Ask a-very-long-hyphenated-word and disk-usage-in-kilobytes-per-second-total",
    "https://example.org/a?key=&b=2 mailto:me@example.org user@host:8080/path",
    "0123456789abcdef0123456789abcdef is a hash, 2024-01-02T03:04:05 a time",
    "password reset; the secret of cooking; authorization is needed",
    "prun-3d2c1b0a-1111-4222-8333-444455556666",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text: str):
    assert Blotter(["none", "x"]).text(text) == text


def test_a_short_secret_is_blotted_out_only_where_it_stands_by_itself():
    blotter = Blotter(["summer24"])
    assert blotter.text("summer24, midsummer24s, (summer24)") == "***, midsummer24s, (***)"


def test_json_is_blotted_by_value_and_by_name_at_any_depth():
    data = {
        "headers": {"Authorization": "x", "Set-Cookie": "y", "Accept": "json"},
        "db": [{"DB_PASSWORD": "abc", "password": 17, "user": "me", "secret": True}],
        SECRET: 1,
        "n": 3,
    }
    assert KNOWN.json(data) == {
        "headers": {"Authorization": "***", "Set-Cookie": "***", "Accept": "json"},
        "db": [{"DB_PASSWORD": "***", "password": "***", "user": "me", "secret": True}],
        "***": 1,
        "n": 3,
    }


NAMED = {
    "spaces": {"db_password": "correct horse battery", "n": "it"},
    "short": {"password": "abc", "secret": "", "credentials": "u:p"},
    "numbers": {"password": 123456, "x": [{"secret": -1.5e3}, True]},
    "quotes and backslashes": {"cookie": 'a="b"; \\"c\\', "api_key": "x\\", "n": '"'},
    "a header": {"Authorization": "Bearer abc def"},
    "JSON in a text": {
        "text": json.dumps({"secret": 'a "b" c', "n": json.dumps({"cookie": "d e"})})
    },
    "lines": "password: hunter22\nAuthorization: Bearer abc\nfoo",
    "no secret": {"passwords": ["a b"], "secret": None, "the password": "is not told"},
}


@pytest.mark.parametrize("value", NAMED.values(), ids=NAMED)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_prompt_loses_what_the_value_that_it_shows_loses(value: Any, separators: Any):
    # In a replay the value comes from the record: its prompt must be the recorded one.
    def prompt(shown: Any, depth: int) -> str:
        for _ in range(depth):
            shown = json.dumps({"output": shown}, ensure_ascii=False, separators=separators)
        return KNOWN.text(shown)

    for depth in (1, 2):
        assert prompt(KNOWN.json(value), depth) == prompt(value, depth)
        for secret in (
            "correct",
            "battery",
            "abc",
            "u:p",
            "123456",
            "1.5",
            "hunter",
            "b; c",
            "d e",
        ):
            assert secret not in prompt(value, depth)
    assert json.loads(prompt(value, 1))["output"] is not None


def test_a_known_secret_that_json_escapes_is_blotted_out_of_json():
    secret = 'pä"ss\\wörd-17'
    once = json.dumps({"a": secret}, ensure_ascii=False)
    blotter = Blotter([secret])
    assert blotter.text(once) == '{"a": "***"}'
    assert blotter.text(json.dumps(secret)) == '"***"'
    assert "rd-17" not in blotter.text(json.dumps({"text": once}, ensure_ascii=False))


def test_values_of_codecs_are_blotted_and_still_decode():
    value = {
        "pairs": {("a", 1): SECRET, "api_key": "abc"},
        "bytes": f"key={SECRET}".encode(),
        "array": np.frombuffer(f"....{SECRET}".encode(), dtype="u1"),
        "good": b"nothing",
    }
    blotted = KNOWN.json(codecs.encode(value))
    written = json.dumps(blotted)
    assert SECRET not in written
    assert base64.b64encode(SECRET.encode()).decode()[4:-4] not in written
    back = codecs.decode(blotted)
    assert back["pairs"] == {("a", 1): "***", "api_key": "***"}
    assert back["good"] == b"nothing"
    assert {type(back["bytes"]), type(back["array"])} == {codecs.Unkept}


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "sk-",
        "eyJ",
        "http://",
        "authorization: ",
        "bearer ",
        "password=",
        "-----BEGIN ",
        '"password":"',
        '\\\\"',
        '"secret":1',
    ],
)
def test_blotting_a_hostile_page_takes_time_in_proportion_to_it(piece: str):
    def seconds(chars: int) -> float:
        text = piece * (chars // len(piece))
        began = time.process_time()
        KNOWN.text(text)
        return time.process_time() - began

    seconds(20_000)
    assert seconds(400_000) < 40 * max(seconds(40_000), 0.01)


def test_a_known_secret_is_blotted_out_of_addresses_however_they_are_encoded():
    secret = "p@ss/w ord+77!"
    blotter = Blotter([secret])
    for encoded in (quote(secret), quote(secret, safe=""), quote_plus(secret)):
        for address in (f"https://me:{encoded}@host/", f"https://host/?q={encoded.lower()}&n=1"):
            assert encoded.lower() not in blotter.text(address).lower(), address
    assert blotter.text(f"?q={quote_plus(secret)}&n=1") == "?q=***&n=1"
