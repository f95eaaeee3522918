"""Functions that all benchmarks share: interleaved timing, fresh processes, and printing."""

import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Row(NamedTuple):
    """A row of a table: a name, the seconds measured, and a remark."""

    name: str
    seconds: Sequence[float]
    remark: str = ""


def interleaved(calls: dict[str, Callable[[], Any]], rounds: int, inner: int = 1) -> dict[str, list[float]]:
    """Times each call `rounds` times, in turns; each time is the mean of `inner` calls in seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            began = time.perf_counter()
            for _ in range(inner):
                call()
            seconds[name].append((time.perf_counter() - began) / inner)
    return seconds


def fresh(script: str, *args: str) -> Any:
    """Returns the JSON on the last line that `script` prints in a new process without a compilation cache."""
    env = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    command = [sys.executable, script, *args]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Returns the ratio of two medians."""
    return statistics.median(ours) / statistics.median(theirs)


def verdict(value: float, target: float, unit: str = "", at_least: bool = False) -> str:
    """Returns a text with the number, its target, and whether it is met."""
    met = value >= target if at_least else value <= target
    sign = ">=" if at_least else "<="
    return f"{value:.3g}{unit}, target {sign} {target:g}{unit}: {'met' if met else 'MISSED'}"


def show(title: str, rows: Sequence[Row], unit: str = "ms", scale: float = 1e3) -> None:
    """Prints a table of medians with their ranges."""
    width = max(len(row.name) for row in rows)
    print(f"\n{title} [{unit}]")
    print(f"  {'':{width}}  {'median':>9}  {'min':>9}  {'max':>9}")
    for name, seconds, remark in rows:
        low, middle, high = min(seconds) * scale, statistics.median(seconds) * scale, max(seconds) * scale
        print(f"  {name:{width}}  {middle:9.3f}  {low:9.3f}  {high:9.3f}  {remark}".rstrip())


def machine() -> None:
    """Prints the machine and the versions of the packages."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("jax", "equinox", "numpy"))
    load = " ".join(f"{n:.2f}" for n in os.getloadavg())
    python = ".".join(map(str, sys.version_info[:3]))
    print(f"\nmachine: {os.cpu_count()} cores, load average {load}, Python {python}, {versions}")
