"""Draws performance and data profiles from the counts that `deterministic.py --out counts.json` keeps."""

import argparse
import json
from pathlib import Path

import matplotlib as mpl


def main(counts: str, folder: str) -> None:
    """Saves two figures."""
    mpl.use("agg")
    from thalweg.plot import data_profile, performance_profile

    rows = json.loads(Path(counts).read_text())
    problems = list(next(iter(rows.values())))
    work = {
        name: [float("inf") if row[p]["first"] is None else row[p]["first"] for p in problems]
        for name, row in rows.items()
    }
    dimensions = [next(iter(rows.values()))[p]["n"] for p in problems]
    drawn = {"performance": performance_profile(work), "data": data_profile(work, dimensions)}
    for kind, axes in drawn.items():
        axes.figure.savefig(Path(folder) / f"profile_{kind}.png", dpi=120, bbox_inches="tight")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts")
    parser.add_argument("--folder", default="docs/images")
    given = parser.parse_args()
    main(given.counts, given.folder)
