"""Where each key of a TOML file stands, so that a complaint about the configuration can name the line.

`tomllib` gives values without places. The scanner here reads only text that `tomllib` has accepted: it follows the
structure and judges nothing. Grammar: https://toml.io/en/v1.0.0.
"""

import re
from collections.abc import Iterator
from itertools import count
from tomllib import loads

Key = tuple[str | int, ...]
"""A dotted key, one part a member; numbers count the members of arrays from 0."""

_TOKEN = re.compile(
    r'''
      """ (?: [^\\] | \\. )*? "{3,5}        # a multi-line string may end with up to two quotes of its own
    | \'\'\' .*? \'{3,5}
    | " (?: [^"\\\n] | \\. )* "
    | ' [^'\n]* '
    | \# [^\n]*
    | [\[\]{}=,.\n]
    | [^\s\[\]{}=,."'\#]+                   # bare keys; pieces of numbers, dates, true and false
    ''',
    re.VERBOSE | re.DOTALL,
)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_VALUE_ENDS = frozenset({",", "]", "}", "\n", ""})
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def key_places(text: str) -> dict[Key, int]:
    """The line, from 1, on which each key of a valid TOML document stands.

    A table's place is its own header; tables that have none stand where they are first named.
    """
    return _Scanner(text).scan()


def dotted(key: Key) -> str:
    """A key as people write it: `sites.acme.user.date_formats[1]`."""
    parts = [f"[{part}]" if isinstance(part, int) else "." + key_name(part) for part in key]
    return "".join(parts).removeprefix(".")


def key_name(name: str) -> str:
    """One part of a key, quoted where TOML wants quotes."""
    return name if _BARE.fullmatch(name) else quoted(name)


def quoted(text: str) -> str:
    """A TOML string on one line, invisible characters spelled out."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    return character if character.isprintable() else f"\\U{ord(character):08X}"


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    for match in _TOKEN.finditer(text):
        token = match.group()
        if not token.startswith("#"):
            yield token, line
        line += token.count("\n")
    yield "", line


class _Scanner:
    """Walks the tokens once; `places` grows on the way."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.current, self.line = next(self.tokens)
        self.places: dict[Key, int] = {}
        self.last_index: dict[Key, int] = {}  # arrays of tables: the member that further headers speak of

    def scan(self) -> dict[Key, int]:
        table: Key = ()
        while self.current:
            if self.current == "[":
                table = self._header()
            elif not self._took("\n"):
                self._pair(table)
        return self.places

    def _advance(self) -> str:
        token = self.current
        self.current, self.line = next(self.tokens, ("", self.line))
        return token

    def _took(self, token: str) -> bool:
        if self.current != token:
            return False
        self._advance()
        return True

    def _key(self) -> list[str]:
        parts = [_plain(self._advance())]
        while self._took("."):
            parts.append(_plain(self._advance()))
        return parts

    def _header(self) -> Key:
        line = self.line
        self._advance()
        is_array = self._took("[")
        *above, name = self._key()
        path: Key = ()
        for part in above:
            path = self._inside((*path, part), line)
        path = (*path, name)
        if is_array:
            self.last_index[path] = self.last_index.get(path, -1) + 1
            path = self._inside(path, line)
        self.places[path] = line
        while self._took("]"):
            pass
        return path

    def _inside(self, path: Key, line: int) -> Key:
        """The table a header speaks of: the latest member, where it is an array."""
        self.places.setdefault(path, line)
        return (*path, self.last_index[path]) if path in self.last_index else path

    def _pair(self, table: Key) -> None:
        path, line = table, self.line
        for part in self._key():
            path = (*path, part)
            self.places.setdefault(path, line)
        self._took("=")
        self._value(path)

    def _value(self, path: Key) -> None:
        if self._took("["):
            self._array(path)
        elif self._took("{"):
            self._inline_table(path)
        else:
            while self.current not in _VALUE_ENDS:
                self._advance()

    def _array(self, path: Key) -> None:
        for index in count():
            self._skip_lines()
            if self._took("]"):
                return
            self.places[*path, index] = self.line
            self._value((*path, index))
            self._skip_lines()
            self._took(",")

    def _inline_table(self, path: Key) -> None:
        while not self._took("}"):
            self._pair(path)
            self._took(",")
            self._skip_lines()  # TOML 1.1 allows line breaks here

    def _skip_lines(self) -> None:
        while self._took("\n"):
            pass


def _plain(token: str) -> str:
    """The name that a key's token stands for."""
    return next(iter(loads(f"{token} = 0"))) if token[0] in "\"'" else token
