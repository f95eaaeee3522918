"""Hock & Schittkowski's problems by the augmented Lagrangian, and by SciPy's SLSQP and trust-constr.

Compared are calls of the objective's value and gradient up to each method's end, the KKT residual reached there, and
the time of a warm call. SciPy gets jitted values, gradients and Jacobians. No target: SLSQP is a Newton method on
dense matrices, and takes the fewest calls on problems as small as these; what is printed is the price of the method
that needs gradients only and keeps no matrix.
"""

import argparse
import statistics
import warnings
from typing import Any

from timing import interleaved, machine, ratio

PROBLEMS = ("hs6", "hs7", "hs21", "hs28", "hs35", "hs48", "hs71")
TOLERANCE = 1e-6


def scipy_call(known: Any, method: str) -> Any:
    """A call of SciPy with everything jitted."""
    import jax
    import numpy as np
    import scipy.optimize

    problem = known.problem
    both, constraints, bounds = jax.jit(lambda x: problem.objective.value_and_grad(x)), [], None
    for kind, values, sign in (("eq", problem.equalities, 1.0), ("ineq", problem.inequalities, -1.0)):
        if np.asarray(values(known.x0)).size:
            f = jax.jit(lambda x, v=values: v(x))
            j = jax.jit(jax.jacobian(lambda x, v=values: v(x)))
            constraints.append(
                {
                    "type": kind,
                    "fun": lambda x, f=f, s=sign: s * np.asarray(f(x)),
                    "jac": lambda x, j=j, s=sign: s * np.asarray(j(x)),
                }
            )
    if problem.bounds is not None:
        sides = (np.broadcast_to(side, known.x0.shape) for side in (problem.bounds.lower, problem.bounds.upper))
        bounds = scipy.optimize.Bounds(*sides)

    def pair(x):
        value, grad = both(x)
        return float(value), np.asarray(grad)

    options = {"ftol": 1e-9} if method == "SLSQP" else {"gtol": TOLERANCE}
    return lambda: scipy.optimize.minimize(
        pair, known.x0, jac=True, method=method, bounds=bounds, constraints=constraints, options=options
    )


def main(rounds: int) -> None:
    """A line a problem."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import thalweg as tw
    from thalweg.problems import ZOO

    warnings.simplefilter("ignore")
    print(f"Calls of the objective, KKT residual, milliseconds of a warm call (median of {rounds})\n")
    print(f"  {'':6}  {'thalweg':>24}  {'SLSQP':>24}  {'trust-constr':>24}   time, thalweg over each")
    ratios: dict[str, list[float]] = {"SLSQP": [], "trust-constr": []}
    for name in PROBLEMS:
        known = ZOO[name]()
        stop = tw.GradNorm(TOLERANCE) | tw.Steps(3000)
        calls = {"thalweg": lambda k=known, s=stop: tw.minimize(k.problem, k.x0, tw.AugmentedLagrangian(), stop=s)}
        calls |= {method: scipy_call(known, method) for method in ratios}
        ends = {contender: call() for contender, call in calls.items()}
        seconds = interleaved(calls, rounds)
        cells = []
        for contender, end in ends.items():
            count = end.evals.value if contender == "thalweg" else end.nfev
            left = tw.landscape.kkt(known.problem, end.x).residual
            cells.append(f"{count:6d} {left:8.1e} {1e3 * statistics.median(seconds[contender]):7.2f}")
        over = {method: ratio(seconds["thalweg"], seconds[method]) for method in ratios}
        for method, value in over.items():
            ratios[method].append(value)
        print(
            f"  {name:6}  "
            + "  ".join(f"{cell:>24}" for cell in cells)
            + "   "
            + " ".join(f"{v:6.2f}" for v in over.values())
        )
    for method, values in ratios.items():
        print(f"  thalweg / {method}, median over the problems: {statistics.median(values):.2f} times")
    machine()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    main(parser.parse_args().rounds)
