"""Fuzz one target, guided by which lines of lzsyncd an input reaches:

    python -m tests.fuzz checks --minutes 60

Needs atheris (`pip install atheris`), which is no part of the tests. What fails is kept in --out, one input for each
kind of failure, with its traceback; put it into tests/fuzz/found/TARGET/, and it is tried by every run of the tests.
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

LARGEST = 4096  # bytes of an input
EVERY = 10.0  # seconds between two notes of how it goes


def main() -> int:
    """Fuzz in a process of its own, which the fuzzer ends as it likes, and tell what came of it."""
    asked = _asked()
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "corpus").mkdir(exist_ok=True)
    note = asked.out / "note.json"
    note.unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", "tests.fuzz", *sys.argv[1:], "--inside"], check=False)
    told = json.loads(note.read_text())
    print(
        f"{asked.target}: {told['executions']:,} inputs in {told['cpu'] / 3600:.2f} hours of one core; {told['fates']}"
    )
    for failure in sorted(asked.out.glob("*.txt")):
        print(f"FAILED {failure.with_suffix('')}: {failure.read_text().strip().splitlines()[-1]}")
    return 1 if told["failures"] or not told["executions"] else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("target", choices=["reader", "checks", "companies", "config", "settings", "rules", "audiences"])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0, help="0: another one each time")
    parser.add_argument("--out", type=Path, help="where the corpus grows and failures are kept")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    asked.out = asked.out or Path("/tmp/lzsyncd-fuzz") / asked.target
    return asked


class Watched:
    """A target that goes on after a failure, and notes how it goes."""

    def __init__(self, asked: argparse.Namespace) -> None:
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 what it imports is to be watched

        self.target, self.out = TARGETS[asked.target], asked.out
        self.executions, self.fates, self.failures = 0, Counter[str](), set[str]()
        self._noted = time.monotonic()
        words = (f'"{"".join(f"{chr(92)}x{byte:02x}" for byte in word)}"' for word in self.target.words)
        (self.out / "words").write_text("".join(f"{word}\n" for word in words))
        for seed in self.target.seeds():
            (self.out / "corpus" / hashlib.sha256(seed).hexdigest()[:20]).write_bytes(seed)

    def one(self, data: bytes) -> None:
        """An input."""
        self.executions += 1
        try:
            self.fates[str(self.target.check(data))] += 1
        except Exception as error:  # noqa: BLE001 that is what is looked for
            self._keep(data, error)
        if time.monotonic() > self._noted + EVERY:
            self.note()

    def _keep(self, data: bytes, error: Exception) -> None:
        frames = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        kind = hashlib.sha256(f"{type(error).__name__} {frames[-3:]}".encode()).hexdigest()[:10]
        self.fates[f"failed {kind}"] += 1
        if kind not in self.failures:
            self.failures.add(kind)
            (self.out / kind).write_bytes(data)
            (self.out / f"{kind}.txt").write_text("".join(traceback.format_exception(error)))
            self.note()

    def note(self) -> None:
        """For the other process."""
        self._noted = time.monotonic()
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        told = {
            "executions": self.executions,
            "cpu": sum(one.ru_utime + one.ru_stime for one in used),
            "fates": dict(self.fates),
            "failures": sorted(self.failures),
        }
        (self.out / "note.json").write_text(json.dumps(told, indent=2))


def inside() -> None:
    """The fuzzer's own process."""
    import atheris  # noqa: PLC0415 no part of the tests

    asked = _asked()
    with atheris.instrument_imports(include=["lzsyncd"]):
        watched = Watched(asked)
    watched.note()
    settings = [f"-max_total_time={round(asked.minutes * 60)}", f"-max_len={LARGEST}"]
    settings += [f"-dict={asked.out / 'words'}"] if watched.target.words else []
    settings += [f"-seed={asked.seed}", "-timeout=120", "-rss_limit_mb=2048", "-print_final_stats=0", "-verbosity=0"]
    atheris.Setup([sys.argv[0], str(asked.out / "corpus"), *settings], watched.one)
    atheris.Fuzz()


if __name__ == "__main__":
    if "--inside" in sys.argv:
        inside()
    else:
        sys.exit(main())
