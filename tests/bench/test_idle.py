"""The program that measures the idle daemon runs; its figures are only worth something on a quiet machine."""

from tests.bench.idle import measure


def test_an_idle_daemon_is_measured():
    figures = measure(sites=2, seconds=0.5, uploads=1, warming=0.5)
    assert 0 < figures.ready < 30
    assert 10 < figures.memory.rss < 45
    assert 0 <= figures.cpu < 100
    assert len(figures.latency) == 1
    assert "MiB" in figures.told()
