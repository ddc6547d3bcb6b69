"""`SECURITY.md` holds: each line has a test that is there, and each relaxation of the units its reason."""

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.test_documents import chapter, code, rows

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
STOLEN = chapter(PAGE, "What somebody can do who has stolen it, and what not")
NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)
UNITS = ("lzsyncd", "lzsyncd-web")


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_test_that_holds_a_line_is_there():
    assert len(NAMED) > 40
    missing = [
        (path, name)
        for path, name in NAMED
        if not (ROOT / path).is_file() or (name and not (name.startswith("test_") and name in functions(ROOT / path)))
    ]
    assert missing == []


def test_every_line_has_a_test():
    lines = rows(STOLEN)
    assert len(lines) > 25
    assert [line[0] for line in lines if not any(one.startswith("tests/") for one in code(line[1]))] == []


@pytest.mark.parametrize("unit", UNITS)
def test_each_relaxation_of_a_unit_has_its_reason(unit: str):
    command = ["systemd-analyze", "security", "--offline=true", "--json=short", ROOT / "systemd" / f"{unit}.service"]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    complaints = {line["json_field"] for line in told if line["exposure"] and not line["set"]}
    reasons = [(code(line[0]), line[1], line[2]) for line in rows(chapter(PAGE, "What the services may do"))]
    assert all(reason for _, _, reason in reasons)
    assert {name for names, where, _ in reasons for name in names if where in ("both", f"`{unit}`")} == complaints
