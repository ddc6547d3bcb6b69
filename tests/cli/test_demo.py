"""`demo`: the tour."""

import re


def test_the_tour_shows_counts_causes_the_file_to_mend_and_a_history(lzsyncd):
    outcome = lzsyncd("demo", "--users", "300", "--dirty", "0.05", "--change", "0.1")
    assert (outcome.code, outcome.err) == (0, "")
    titles = re.findall("^== (.*)", outcome.out, re.MULTILINE)
    assert [title.partition(":")[0] for title in titles] == [
        "Day one",
        "People land in audiences and courses, in the same commit",
        "Day two",
        "Who changed is in the right courses already",
        "What was wrong",
        "What HR gets back",
        "One person's history",
        "An hour later",
    ]
    assert outcome.out.count("user ") >= 3
    assert re.search(r"^user\.csv:\d+  error  [a-z_.]+", outcome.out, re.MULTILINE)
    assert "lz_line,lz_column,lz_code,lz_message" in outcome.out
    assert re.search(r"^\d{4}-\d\d-\d\d .*  updated  user.csv:\d+", outcome.out, re.MULTILINE)


def test_a_tour_without_broken_rows_is_short(lzsyncd):
    outcome = lzsyncd("demo", "--users", "50", "--dirty", "0", "--change", "0")
    assert outcome.code == 0
    assert "What was wrong" not in outcome.out


def test_the_same_seed_gives_the_same_tour(lzsyncd):
    def told():
        text = lzsyncd("demo", "--users", "60", "--seed", "5", "--dirty", "0.1").out
        return re.sub(r"\d+\.\d s|\d{4}-\d\d-\d\d \S+|\d{8}T\S+", "", text)

    assert told() == told()


def test_a_tour_that_is_kept_can_be_looked_at(tmp_path, lzsyncd):
    keep = tmp_path / 'a "new" folder'
    outcome = lzsyncd("demo", "--users", "60", "--keep", str(keep))
    assert outcome.code == 0
    assert outcome.out.endswith(f"Look around: lzsyncd --config '{keep}/lzsyncd.toml' runs\n")
    looked = lzsyncd("--config", str(keep / "lzsyncd.toml"), "runs")
    assert looked.out.count("applied") >= 2


def test_nothing_else_is_left_behind(tmp_path, lzsyncd, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    lzsyncd("demo", "--users", "30")
    assert list(tmp_path.iterdir()) == []
