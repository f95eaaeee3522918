"""What `import thalweg` adds to `import jax, equinox`, in fresh processes. Target: at most 1.10 times together.

Names are imported when they are first used, so the import itself costs next to nothing; the last rows say what the
first `tw.minimize`, which needs every method's row, and the first rule add. Processor time: other programs on the
machine do not count. Compiled bytecode is kept for the length of the benchmark, as an installed package has it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

from timing import Row, fresh, machine, ratio, show, verdict

TARGET = 1.10
PROGRAMS = {
    "jax, equinox": "import jax, equinox",
    "thalweg": "import thalweg",
    "jax, equinox, thalweg": "import jax, equinox, thalweg",
    "... and a rule": "import jax, equinox, thalweg; thalweg.AdamW",
    "... and minimize": "import jax, equinox, thalweg; thalweg.minimize",
}


def worker(program: str) -> None:
    """Prints the seconds of one program. An interpreter of its own, so that nothing was loaded before."""
    code = f"import time; t = time.process_time()\n{program}\nprint(time.process_time() - t)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    print(json.dumps(float(out)))


def main(repetitions: int) -> None:
    """Processes in turn; the first of each, which compiles bytecode, left out."""
    seconds: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as bytecode:
        os.environ["PYTHONPYCACHEPREFIX"] = bytecode
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        for _ in range(repetitions + 1):
            for name, program in PROGRAMS.items():
                seconds[name].append(fresh(__file__, "--worker", program))
    seconds = {name: values[1:] for name, values in seconds.items()}
    base = seconds["jax, equinox"]
    rows = [Row(name, values, f"{ratio(values, base):.2f} times the first") for name, values in seconds.items()]
    show("Import in a fresh process, processor time", rows)
    together = ratio(seconds["jax, equinox, thalweg"], base)
    print(f"  jax, equinox, thalweg / (jax, equinox): {verdict(together, TARGET, ' times')}")
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
