"""`import thalweg` against `import jax, equinox`, each in fresh processes. Target: at most 1.15 times.

Compiled bytecode is kept for the length of the benchmark, as an installed package has it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

from timing import Row, fresh, machine, ratio, show, verdict

TARGET = 1.15
MODULES = {"jax, equinox": "jax, equinox", "thalweg": "thalweg"}


def worker(modules: str) -> None:
    """Prints the seconds of one import, in an interpreter that has loaded nothing before."""
    code = f"import time; t = time.perf_counter()\nimport {modules}\nprint(time.perf_counter() - t)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    print(json.dumps(float(out)))


def main(repetitions: int) -> None:
    """Runs processes in turn, and omits the first of each, which compiles bytecode."""
    seconds: dict[str, list[float]] = {name: [] for name in MODULES}
    with tempfile.TemporaryDirectory() as bytecode:
        os.environ["PYTHONPYCACHEPREFIX"] = bytecode
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        for _ in range(repetitions + 1):
            for name, modules in MODULES.items():
                seconds[name].append(fresh(__file__, "--worker", modules))
    seconds = {name: values[1:] for name, values in seconds.items()}
    show("Import in a fresh process", [Row(n, s) for n, s in seconds.items()])
    base, ours = seconds.values()
    print(f"  thalweg / (jax, equinox): {verdict(ratio(ours, base), TARGET, ' times')}")
    machine()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--worker")
    given = parser.parse_args()
    if given.worker:
        worker(given.worker)
    else:
        main(given.repetitions)
