"""Every key of a TOML document is found on its line."""

import tomllib
from collections.abc import Iterator

from hypothesis import event, given
from hypothesis import strategies as st

from lzsyncd.config.places import dotted, key_places


def test_keys_are_found_wherever_toml_lets_them_stand():
    text = '''\
# a comment with [brackets] and "quotes
top = 1
"quoted key".'inner "key"' = 2

[a . "b.c"]   # a comment
x = """
[not.a.table]
y = 1 ""\\"""" # two quotes and an escaped one
z = \'\'\'
k = 'v'\'\'\'\'
list = [ # [
  1, [2,
  3], { deep = 4, "d.e" = [5] },

  "]", 1979-05-27 07:32:00.5,
]
inline = { p.q = 1, r = { s = 2 } }
[[a.rows]]
n = 1
[[a.rows]]
n.m = 2
[a.rows.sub]
o = inf
[[a.rows.more]]
[a]
last = "#"
'''
    rest = {
        ("top",): 2,
        ("quoted key",): 3,
        ("quoted key", 'inner "key"'): 3,
        ("a", "b.c"): 5,
        ("a", "b.c", "x"): 6,
        ("a", "b.c", "z"): 9,
        ("a", "b.c", "list"): 11,
        ("a", "b.c", "list", 0): 12,
        ("a", "b.c", "list", 1): 12,
        ("a", "b.c", "list", 1, 0): 12,
        ("a", "b.c", "list", 1, 1): 13,
        ("a", "b.c", "list", 2): 13,
        ("a", "b.c", "list", 2, "deep"): 13,
        ("a", "b.c", "list", 2, "d.e"): 13,
        ("a", "b.c", "list", 2, "d.e", 0): 13,
        ("a", "b.c", "list", 3): 15,
        ("a", "b.c", "list", 4): 15,
        ("a", "b.c", "inline"): 17,
        ("a", "b.c", "inline", "p"): 17,
        ("a", "b.c", "inline", "p", "q"): 17,
        ("a", "b.c", "inline", "r"): 17,
        ("a", "b.c", "inline", "r", "s"): 17,
        ("a", "rows"): 18,
        ("a", "rows", 0): 18,
        ("a", "rows", 0, "n"): 19,
        ("a", "rows", 1): 20,
        ("a", "rows", 1, "n"): 21,
        ("a", "rows", 1, "n", "m"): 21,
        ("a", "rows", 1, "sub"): 22,
        ("a", "rows", 1, "sub", "o"): 23,
        ("a", "rows", 1, "more"): 24,
        ("a", "rows", 1, "more", 0): 24,
        ("a",): 25,
        ("a", "last"): 26,
    }
    assert key_places(text) == rest
    assert set(paths(tomllib.loads(text))) == set(rest)


def test_quotes_inside_a_multi_line_string_do_not_end_it():
    text = '''\
a = ["""q"""", """"q""", """""""", "]", 1,
 2]
b = """\\"""
[fake]
c = 3"""
d = 4
'''
    assert set(paths(tomllib.loads(text))) == set(key_places(text))
    assert {path[0]: line for path, line in key_places(text).items() if len(path) == 1} == {"a": 1, "b": 3, "d": 6}
    assert key_places(text)["a", 5] == 2


def paths(value: object, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The key of everything in a TOML document."""
    if isinstance(value, dict):
        members = list(value.items())
    else:
        members = list(enumerate(value)) if isinstance(value, list) else []
    for name, member in members:
        yield (*above, name)
        yield from paths(member, (*above, name))


def leaves(value: object, above: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], object]]:
    for path in paths(value, above):
        member = value
        for part in path:
            member = member[part]
        if isinstance(member, int):
            yield path, member


names = st.sampled_from(["a", "b", "c-1", "2", '"x y"', "'#'", '"]"', '"\\u00e9"', '""', "'\"'"])
keys = st.lists(names, min_size=1, max_size=3).map(" . ".join)
noise = st.sampled_from(["", "\n", "# [x] = '''\n", "\n\n", "  \t\n"])
texts = st.sampled_from(
    ['"""\n[a]\n"""', "'''\nb = 1\n'''", '"#"', "1979-05-27", "'['", '"\\""', '""""q"""""', "-1.5e3"]
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """TOML in which every whole number is the number of its own line; some of it is no TOML."""
    text = ""

    def here() -> str:
        return str(text.count("\n") + 1)

    def line_break() -> None:
        nonlocal text
        text += draw(noise)

    for _ in range(draw(st.integers(1, 8))):
        line_break()
        key = draw(keys)
        match draw(st.sampled_from(["table", "rows", "number", "text", "list", "inline"])):
            case "table":
                text += f"[{key}]\n"
            case "rows":
                text += f"[[ {key} ]]\n"
            case "number":
                text += f"{key} = {here()}\n"
            case "text":
                text += f"{key} = {draw(texts)}\n"
            case "list":
                text += f"{key} = ["
                for _ in range(draw(st.integers(0, 3))):
                    line_break()
                    text += f"{here()}, " + draw(st.sampled_from(["", "[], ", "{}, ", '"""\n""", ']))
                line_break()
                text += "]\n"
            case "inline":
                text += f"{key} = {{ a.b = {here()}, c = [ {here()} ] }}\n"
    return text


@given(documents())
def test_every_key_of_every_document_is_found_on_its_line(text):
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        event("no TOML")
        return
    event("TOML")
    places = key_places(text)
    assert set(places) == set(paths(values))
    assert {path: places[path] for path, _ in leaves(values)} == dict(leaves(values))


@given(st.lists(st.text(max_size=8) | st.integers(0, 99), min_size=1, max_size=4))
def test_a_dotted_key_is_one_line_and_reads_back(key):
    key = ("k", *key)
    written = dotted(key)
    assert len(written.splitlines()) == 1
    named = tuple(part for part in key if isinstance(part, str))
    value = tomllib.loads(f"{dotted(named)} = 1")
    for part in named:
        value = value[part]
    assert value == 1
