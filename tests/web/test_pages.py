"""What the pages tell is what the tables say, on SQLite and PostgreSQL alike."""

import csv
import io
import re
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from lzsyncd.service.instance import Instance
from lzsyncd.web.questions import units
from lzsyncd.zone.database import opened
from tests.learning.world import ask_rules
from tests.sync.desk import ON_SQLITE

from .conftest import FORMULA, PASSWORD, Page


def text_of(client: TestClient, path: str, code: int = 200) -> str:
    answer = client.get(f"/sites/acme/{path}")
    assert answer.status_code == code, answer.text
    return " ".join(answer.text.split())


def run_of(page: Page) -> str:
    with opened(page.site) as database:
        return str(database.value("SELECT max(id) FROM sync_run"))


def test_a_tour_of_the_pages_tells_what_the_tables_say(page: Page):
    client, run = page.browser("vera"), run_of(page)
    overview = text_of(client, "")
    assert "The service does not run" in overview
    assert run in overview
    assert 'svg class="chart"' in overview
    assert "Applied" in text_of(client, "now")
    runs = text_of(client, "runs")
    assert runs.count("Applied") >= 2
    assert "No run is in this state" in text_of(client, "runs?status=held")
    one = text_of(client, f"runs/{run}")
    assert "user.email.invalid" in one
    assert "What it changed" in one
    assert text_of(client, "errors") == text_of(client, f"runs/{run}/findings")
    people = text_of(client, "people")
    assert "grace@acme.test" in people
    person = text_of(client, "people/1")
    assert "Jobs" in person
    assert "user.csv:2" in person
    assert "ACME Ltd" in text_of(client, "units")
    assert "Staff" in text_of(client, "units/pos")
    assert "This site has no audiences" in text_of(client, "audiences")
    settings = text_of(client, "settings")
    assert "Europe/London" in settings
    assert "Who did what" not in settings
    assert "signed in" in text_of(page.browser("ada"), "settings")


def test_signs_that_no_database_takes_find_nothing_and_break_nothing(page: Page):
    client, run = page.browser("vera"), run_of(page)
    for path in (
        "people?text=%00",
        "people/%00",
        f"runs/{run}/findings?text=%00",
        f"runs/{run}/changes?key=%00",
        "runs/%00",
    ):
        assert client.get(f"/sites/acme/{path}").status_code in (200, 404), path


def test_a_run_of_which_the_books_are_left_says_so(page: Page):
    client, run = page.browser("vera"), run_of(page)
    assert "not kept any more" not in text_of(client, f"runs/{run}")
    with opened(page.site) as database:
        database.run("UPDATE sync_run SET pruned_at = '2026-11-23T00:00:00.000Z' WHERE id = ?", (run,))
    assert "not kept any more, since" in text_of(client, f"runs/{run}")


def test_what_is_not_there_is_said_to_be_not_there(page: Page):
    client = page.browser("vera")
    for path in ("people/999", "people/x", "people/99999999999999999999", "units/org/99", "units/user", "runs/none"):
        assert "There is nothing here" in text_of(client, path, 404)
    for path in ("audiences/7", "nothing", "units/org/99/below?after=1", "runs/none/changes.csv"):
        assert client.get(f"/sites/acme/{path}").status_code in (404, 200)


def test_findings_are_grouped_filtered_and_searched(page: Page):
    client, run = page.browser("vera"), run_of(page)
    path = f"runs/{run}/findings"
    everything = text_of(client, path)
    assert "user.email.invalid" in everything
    assert "user.org.unknown" in everything
    one = text_of(client, f"{path}?code=user.email.invalid")
    assert "calc" in one
    assert "NOWHERE" not in one
    assert "NOWHERE" in text_of(client, f"{path}?text=nowhere")
    assert "NOWHERE" in text_of(client, f"{path}?text=4")
    assert "NOWHERE" in text_of(client, f"{path}?severity=warning&element=user")
    for query in ("text=no-such-thing", "element=org", "severity=fatal"):
        assert "Nothing fits" in text_of(client, f"{path}?{query}")


def test_what_follows_from_a_cause_is_shown_behind_it(page: Page):
    org = page.folder / "export/org.csv"
    lines = org.read_text(encoding="utf-8").splitlines()
    head = lines[0].split(",")
    lines.append(
        ",".join({"idnumber": "LOST", "fullname": "Lost", "parentidnumber": "NOWHERE"}.get(n, "") for n in head)
    )
    lines.append(
        ",".join({"idnumber": "BELOW", "fullname": "Below", "parentidnumber": "LOST"}.get(n, "") for n in head)
    )
    org.write_text("\n".join(lines) + "\n", encoding="utf-8")
    run = page.sync("export")
    client = page.browser("vera")
    text = text_of(client, f"runs/{run}/findings")
    assert "1 more finding follows from this one" in text
    assert "Follows from" not in text
    assert "Follows from org.csv:" in text_of(client, f"runs/{run}/findings?text=BELOW")


def test_changes_show_before_and_after(page: Page):
    client, run = page.browser("vera"), run_of(page)
    text = text_of(client, f"runs/{run}/changes")
    assert "<del>" in text
    assert "HYPERLINK" in text
    assert "Nothing fits" in text_of(client, f"runs/{run}/changes?key=nobody")
    assert "Nothing fits" in text_of(client, f"runs/{run}/changes?action=removed&element=org")


def cells_of(client: TestClient, path: str) -> list[list[str]]:
    answer = client.get(f"/sites/acme/{path}")
    assert answer.headers["content-disposition"].startswith('attachment; filename="')
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def test_downloads_hold_all_rows_and_no_formula(page: Page):
    client, run = page.browser("vera"), run_of(page)
    head, *rows = cells_of(client, f"runs/{run}/findings.csv")
    codes = {row[head.index("code")] for row in rows}
    assert {"user.email.invalid", "user.org.unknown"} <= codes
    values = [row[head.index("value")] for row in rows]
    assert "'=cmd|'/c calc'!A1" in values
    _, *changed = cells_of(client, f"runs/{run}/changes.csv")
    assert any(cell == f"'{FORMULA}" for row in changed for cell in row)
    assert not [cell for row in rows + changed for cell in row if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} and cell]
    assert len(cells_of(client, f"runs/{run}/findings.csv?code=user.org.unknown")) == 2


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("text=lovelace", {"E1001"}),
        ("text=E1001", {"E1001"}),
        ("text=alan@acme.test", {"E1002"}),
        ("state=active", {"E1000", "E1001", "E1002"}),
        ("state=deleted", set()),
        ("state=by-hand", set()),
        ("state=nonsense", {"E1000", "E1001", "E1002"}),
        ("field=site&field_value=North", {"E1001"}),
        ("field=site'&field_value=x", {"E1000", "E1001", "E1002"}),
        ("pos=1&state=active", {"E1000"}),
    ],
)
def test_people_are_found_by(page: Page, query: str, found: set[str]):
    with opened(page.site) as database:
        database.run("UPDATE lz_user SET custom = ? WHERE idnumber = 'E1001'", ('{"site": "North"}',))
        database.run("UPDATE lz_job SET pos_id = CASE user_id WHEN 1 THEN 1 ELSE NULL END")
        names = dict(database.rows("SELECT idnumber, lastname FROM lz_user"))
    text = text_of(page.browser("vera"), f"people?{query}")
    assert {key for key in names if f"<td>{key}</td>" in text} == found


def test_reports_and_units_open_branch_by_branch(page: Page):
    client = page.browser("vera")
    with opened(page.site) as database:
        database.run("UPDATE lz_job SET manager_id = CASE user_id WHEN 1 THEN NULL ELSE user_id - 1 END")
    person = text_of(client, "people/1")
    assert "2, direct and indirect" in person
    assert "Turing" not in text_of(client, "people/1/reports")
    assert "Turing" in text_of(client, "people/2/reports")
    root = text_of(client, "units/org/1")
    assert "Below it" in root
    below = text_of(client, "units/org/1/below")
    assert "tree" in below
    assert "Operations" in text_of(client, "units/org?text=OPS")
    assert "Nothing has that name" in text_of(client, "units/org?text=nowhere")


def test_a_configuration_that_changes_is_read_again_and_one_with_mistakes_is_not_taken(page: Page):
    client, path = page.browser("vera"), page.folder / "lzsyncd.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("Europe/London", "Asia/Tokyo"), encoding="utf-8")
    assert "Asia/Tokyo" in text_of(client, "settings")
    path.write_text("this is no TOML", encoding="utf-8")
    assert "Asia/Tokyo" in text_of(client, "settings")
    path.unlink()
    assert "Asia/Tokyo" in text_of(client, "settings")


def test_a_site_without_a_database_says_so(page: Page):
    client = page.browser()
    assert "Overview" in page.sign_in(client, "gus", PASSWORD, "globex").text
    answer = client.get("/sites/globex/runs")
    assert (answer.status_code, "no tables yet" in answer.text) == (503, True)
    assert not (page.folder / "data/globex/zone.db").exists()


@ON_SQLITE
def test_a_database_that_is_damaged_is_told_on_each_page(page: Page):
    client = page.browser("vera")
    for path in page.site.folder.glob("zone.db-*"):
        path.unlink()
    (page.site.folder / "zone.db").write_bytes(b"idnumber,fullname\n" * 9_000)
    overview = text_of(client, "")
    assert "Something is wrong" in overview
    for told in (overview, text_of(client, "runs", 500), text_of(client, "people/1", 500)):
        assert "zone.db is damaged (SQLITE_NOTADB): restore the database from its backup" in told


def test_the_page_can_not_write_what_it_only_reads(page: Page):
    with page.house.ledger(page.site) as database, pytest.raises(Exception, match=r"read-?only"):
        database.run("UPDATE lz_user SET city = 'x'")


def test_an_audience_shows_its_rule_and_members_and_a_person_why_they_are_in_it(page: Page):
    with opened(page.site) as database:
        database.run("INSERT INTO lz_audience (name, rule, frozen) VALUES ('Safety', '{\"match\": \"all\"}', TRUE)")
        number = database.value("SELECT id FROM lz_audience")
        since = "2026-11-28T02:00:00.000Z"
        database.run("INSERT INTO lz_audience_member (audience_id, user_id, since) VALUES (?, 1, ?)", (number, since))
        database.run(
            "INSERT INTO lz_assignment (user_id, item, audience_id, assigned_at, due_at) "
            "VALUES (1, 'course:S', ?, ?, ?)",
            (number, since, since),
        )
        database.run(
            "INSERT INTO sync_member (run_id, audience_id, idnumber, action, reason) "
            "VALUES (?, ?, 'E1000', 'joined', ?)",
            (run_of(page), number, "org is under OPS"),
        )
    client = page.browser("vera")
    assert "Frozen" in text_of(client, "audiences")
    one = text_of(client, f"audiences/{number}")
    assert "&#34;match&#34;: &#34;all&#34;" in one
    assert "Grace Hopper" in one
    assert "1 <span" in one
    person = text_of(client, "people/1")
    for sign in ("Safety", "course:S", "org is under OPS", "Joined"):
        assert sign in person


def test_members_of_audiences_are_counted_up_to_a_number(page: Page, monkeypatch: pytest.MonkeyPatch):
    """Of 200 audiences there may be millions: the page would take a second."""
    with opened(page.site) as database:
        database.run("INSERT INTO lz_audience (id, name) VALUES (1, 'Three'), (2, 'Two'), (3, 'None')")
        members = ", ".join(f"({audience}, {user}, '')" for audience, user in ((1, 1), (1, 2), (1, 3), (2, 1), (2, 2)))
        database.run(f"INSERT INTO lz_audience_member (audience_id, user_id, since) VALUES {members}")
    client = page.browser("vera")
    cells = re.compile(r'<td class="n">([^<]*)</td>')
    assert cells.findall(text_of(client, "audiences")) == ["0", "3", "2"]
    monkeypatch.setattr(units, "COUNTED", 1)
    monkeypatch.setattr(units, "MEMBERS_COUNTED", 9)
    assert cells.findall(text_of(client, "audiences")) == ["0", "3 or more", "2"]
    monkeypatch.setattr(units, "MEMBERS_COUNTED", 3)
    assert cells.findall(text_of(client, "audiences")) == ["0", "1 or more", "1 or more"]
    assert "3 or more <span" in text_of(client, "audiences/1")
    assert "2 <span" in text_of(client, "audiences/2")


@ON_SQLITE
def test_the_settings_show_rules_of_several_lines_as_they_are_written(page: Page):
    path = page.folder / "lzsyncd.toml"
    rules = '[{field = "org", under = "OPS"}, {field = "pos", is = "A = B"}]'
    path.write_text(f'{path.read_text()}[[sites.acme.audiences]]\nname = "Ops"\nrules = {rules}\n')
    text = text_of(page.browser("vera"), "settings")
    assert "<code>sites.acme.audiences</code>" in text
    assert re.search(r"<dt><code>rules</code></dt><dd><code>\[ ?\{.*under.*OPS.*A = B.*\]</code></dd>", text)


@ON_SQLITE
def test_a_night_in_which_the_rules_alone_were_asked_hides_no_rejected_set(page: Page):
    (page.folder / "bad").mkdir()
    (page.folder / "bad/user.csv").write_text("nothing\n1\n", encoding="utf-8")
    rejected = page.sync("bad")
    client = page.browser("vera")
    with Instance(page.folder / "run") as daemon:
        daemon.publish({"status": "", "sites": {}})
        assert "The last set was not applied" in text_of(client, "")
        assert ask_rules(page.site, now=datetime.now(UTC) + timedelta(days=1)).status == "unchanged"
        assert "The last set was not applied" in text_of(client, "")
    assert client.get("/sites/acme/errors").url.path == f"/sites/acme/runs/{rejected}/findings"


def test_what_nobody_foresaw_is_told_without_a_value_and_with_all_headers(page: Page, monkeypatch: pytest.MonkeyPatch):
    client = page.browser("vera")

    def broken(*_: object) -> None:
        raise RuntimeError("a value of a file")

    monkeypatch.setattr("lzsyncd.web.people.people.people", broken)
    answer = client.get("/sites/acme/people")
    assert (answer.status_code, "Something went wrong here" in answer.text) == (500, True)
    assert "a value of a file" not in answer.text
    assert "content-security-policy" in answer.headers
    monkeypatch.setattr("lzsyncd.web.people.people.people", lambda *_: locked())
    assert client.get("/sites/acme/people").status_code == 503


def test_what_follows_by_itself_is_swapped_only_when_it_has_changed(page: Page):
    client = page.browser("vera")
    (path,) = re.findall(r'hx-get="(/sites/acme/now[^"]+)"', client.get("/sites/acme/").text)
    assert client.get(path).status_code == 204
    (page.site.inbox / "user.csv").write_text("idnumber\n", encoding="utf-8")
    changed = client.get(path)
    assert (changed.status_code, "user.csv" in changed.text) == (200, True)
    (path,) = re.findall(r'hx-get="(/sites/acme/now[^"]+)"', changed.text)
    assert client.get(path).status_code == 204


def locked() -> None:
    raise sqlite3.OperationalError("database is locked")
