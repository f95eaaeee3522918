"""Steps and evaluations that directions and line searches take to a gradient of 1e-6, in float64.

    python benchmarks/searches.py [part of a name ...]

Prints `steps/evaluations` for every pair of method and problem; a star where the limit of 5000 steps came first.
"""

import sys

import jax
import numpy as np

import thalweg as tw
from thalweg.problems import ZOO, quadratic, rosenbrock

PROBLEMS = {
    "quadratic": quadratic(),
    "quadratic, 50, 1e4": quadratic(50, 1e4),
    "rosenbrock": rosenbrock(),
    "rosenbrock, 10": rosenbrock(10),
    "beale": ZOO["beale"](),
    "logistic": ZOO["logistic"](),
}
METHODS = {
    "steepest Backtracking()": tw.SteepestDescent(),
    "steepest Backtracking(interpolate=True)": tw.SteepestDescent(tw.line_search.Backtracking(interpolate=True)),
    "steepest InverseLipschitz()": tw.SteepestDescent(tw.line_search.InverseLipschitz()),
    "steepest StrongWolfe()": tw.SteepestDescent(tw.line_search.StrongWolfe()),
    "steepest HagerZhang()": tw.SteepestDescent(tw.line_search.HagerZhang()),
    "steepest ExactSearch()": tw.SteepestDescent(tw.line_search.ExactSearch()),
    "steepest PolyakStep(0.0)": None,
    "steepest BarzilaiBorwein('long')": tw.BarzilaiBorweinDescent("long"),
    "steepest BarzilaiBorwein('short')": tw.BarzilaiBorweinDescent("short"),
    "steepest BarzilaiBorwein('alternate')": tw.BarzilaiBorweinDescent("alternate"),
    "cg, HagerZhang(curvature=0.1)": tw.ConjugateGradient(),
    "cg, HagerZhang(curvature=0.9)": tw.ConjugateGradient(search=tw.line_search.HagerZhang()),
    "cg, StrongWolfe(curvature=0.1)": tw.ConjugateGradient(search=tw.line_search.StrongWolfe(curvature=0.1)),
    "cg, ExactSearch()": tw.ConjugateGradient(search=tw.line_search.ExactSearch()),
    "cg, polak-ribiere": tw.ConjugateGradient("polak-ribiere"),
    "L-BFGS StrongWolfe()": tw.LBFGS(),
    "L-BFGS HagerZhang()": tw.LBFGS(search=tw.line_search.HagerZhang()),
}


def main(wanted: list[str]) -> None:
    """The table."""
    jax.config.update("jax_enable_x64", True)
    print(f"{'':40}" + "".join(f"{name:>20}" for name in PROBLEMS))
    for name, method in METHODS.items():
        if wanted and not any(part in name for part in wanted):
            continue
        cells = []
        for known in PROBLEMS.values():
            chosen = tw.PolyakDescent(known.minimum) if method is None else method
            stop = tw.GradNorm(1e-6) | tw.Steps(5000)
            result = tw.minimize(known.problem, np.asarray(known.x0, float), chosen, stop=stop, on_failure="ignore")
            star = "" if result.status == tw.Status.CONVERGED else "*"
            cells.append(f"{result.steps}/{result.evals.value}{star}")
        print(f"{name:40}" + "".join(f"{cell:>20}" for cell in cells), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
