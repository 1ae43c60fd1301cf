"""Texts that try to get out of a label: markup, scripts, control characters, size."""

from __future__ import annotations

from hypothesis import strategies as st

PAYLOADS = (
    "<script>alert(1)</script>",
    "</text></g></svg><script>alert(1)</script>",
    "</title><a href='javascript:alert(1)'>x</a>",
    '"><image href="https://evil.example/x.png" onerror="alert(1)"/>',
    "<foreignObject><iframe src=javascript:alert(1)></iframe></foreignObject>",
    "<style>*{background:url(https://evil.example)}</style>",
    "<!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>&x;",
    "]]><![CDATA[",
    "<?xml-stylesheet href='x'?>",
    "<!-- -->",
    "&#60;script&#62;&lt;&amp;&quot;",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "' onload='alert(1)",
    '" onload="alert(1)" x="',
    "javascript:alert(1)",
    "url(#p-tip);fill:url(https://evil.example)",
    "${7*7}{{7*7}}{0.__class__}%s%n",
    "<TABLE><TR><TD HREF='javascript:alert(1)'>x</TD></TR></TABLE>",
    "<>",
    "<b",
    "\\N\\G\\E\\T\\H\\L",
    "ends with a backslash\\",
    "two\\\\",
    '\\"',
    '"];evil [URL="javascript:alert(1)"];"',
    "a\nb\r\nc\tof\x0b\x0c",
    "nul\x00byte",
    "\x1b[31mred\x1b[0m\x1b]8;;javascript:alert(1)\x07link\x1b]8;;\x07",
    "\x9b31mc1\x9d0;title\x9c",
    "\u202egnp.exe\u2066x\u2069\u200f\u061c",
    "\ufeff\u200b\u2060\U000e0041hidden",
    "lone \ud800 surrogate \udfff",
    "\ufffe\uffff\U0001fffe",
    "line\u2028para\u2029next\x85nel",
    "z" + "\u0301" * 500,
    "\u0301" * 50,
    "x" * 10_000,
    "日本語" * 3_000,
    "👩‍👩‍👧‍👦" * 50,
    "",
    " ",
    "\x00",
)

texts = st.one_of(
    st.sampled_from(PAYLOADS),
    st.text(st.characters(exclude_categories=()), max_size=60),
    st.tuples(st.sampled_from(PAYLOADS), st.text(max_size=20)).map("".join),
)
