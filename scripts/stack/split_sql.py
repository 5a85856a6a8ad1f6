"""Splits a SQL script into its statements, as the Supabase CLI does before it records them. Called by migrate.py.

Only what tells a statement's end apart from a semicolon inside one: strings, quoted names, dollar quotes, comments,
and SQL-standard function bodies (`begin atomic … end`).
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
      (?P<line>--[^\n]*)
    | (?P<block>/\*)
    | (?P<escape>\b[eE]'(?:[^'\\]|\\.|'')*')
    | (?P<string>'(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")*")
    | (?P<dollar>(?<![\w$])\$(?P<tag>[A-Za-z_\x80-\U0010ffff][\w]*)?\$)
    | (?P<word>[A-Za-z_\x80-\U0010ffff][\w$]*)
    | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def split_statements(script: str) -> list[str]:
    """The script's statements, without surrounding white space and closing semicolon; comments stay with the next."""
    statements: list[str] = []
    start = position = 0
    depth = 0  # of `begin atomic` and the `case … end` inside it
    previous = ""
    while match := _TOKEN.search(script, position):
        position = match.end()
        if match["block"]:
            position = _end_of_comment(script, position)
        elif match["dollar"]:
            close = script.find(match["dollar"], position)
            position = len(script) if close < 0 else close + len(match["dollar"])
        elif match["word"]:
            word = match["word"].lower()
            depth += _nesting(previous, word, depth)
            previous = word
        elif match["end"] and depth == 0:
            _keep(statements, script[start : match.start()])
            start = position
            previous = ""
    _keep(statements, script[start:])
    return statements


def _nesting(previous: str, word: str, depth: int) -> int:
    if previous == "begin" and word == "atomic":
        return 1
    if depth and word == "case":
        return 1
    return -1 if depth and word == "end" else 0


def _end_of_comment(script: str, position: int) -> int:
    """Where a block comment ends; Postgres nests them."""
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(script, position)):
        depth += 1 if edge.group() == "/*" else -1
        position = edge.end()
    return position if depth == 0 else len(script)


def _keep(statements: list[str], text: str) -> None:
    if stripped := text.strip():
        statements.append(stripped)
