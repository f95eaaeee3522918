"""Deterministic solvers on the zoo: solved problems, evaluations and times, compared with SciPy and JAX packages.

The problems are the 35 of Moré, Garbow & Hillstrom and the smooth ones of the zoo, in float64 from their standard
starts. All are given a gradient tolerance of 1e-8 (Optimistix, which has none, rtol = atol = 1e-8). A problem is
solved where f - f* <= 1e-6 |f*|, or f <= 1e-10 where f* = 0, for the least value or that of a known local minimum.
Work counts one for each evaluation of the value, with or without gradient, and for each Hessian-vector product, and
n for a dense Hessian. Functions of JAX's packages report their own evaluations from the inside.

Counting runs a process for each contender, two at a time; timing runs alone, in turns: the first call of a fresh
process, and the calls after it, on three problems. `--out` keeps the counts, which `profiles.py` draws.
"""

import argparse
import importlib
import json
import math
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from timing import fresh, machine, verdict

TOLERANCE = 1e-8
MOST = 3000
"""Steps."""
TIMED = ("mgh-rosenbrock", "mgh-osborne-2", "mgh-chebyquad")
WARM_CALLS, ROUNDS = 30, 3
EVALUATIONS_TARGET, COLD_AIM, WARM_TARGET = 1.1, 0.2, 0.5
"""Times SciPy's; seconds; milliseconds."""


KEPT: dict[Any, Any] = {}
"""Jitted functions and methods, which a careful user makes only once."""


class Case(NamedTuple):
    """A problem, and the values at which it counts as solved."""

    fun: Callable
    problem: Any
    x0: Any
    minima: tuple[float, ...]


class Record:
    """Values in the order in which they were computed, and the work up to each."""

    def __init__(self):
        self.values: list[float] = []
        self.work: list[int] = []
        self.total = 0

    def add(self, value: float, work: int = 1) -> None:
        """Records one evaluation."""
        self.total += work
        self.values.append(float(value))
        self.work.append(self.total)


def cases() -> dict[str, Case]:
    """Returns all smooth, unconstrained problems that are bounded below, by name."""
    from thalweg.problems import MGH, SURFACES, ZOO

    named = {name: MGH[name]() for name in MGH}
    named |= {name: ZOO[name]() for name in ("quadratic", "beale", "himmelblau")}
    named |= {name: SURFACES[name]() for name in ("bowl", "waves", "ellipse", "quartic")}
    return {name: as_case(known) for name, known in named.items()}


def as_case(known: Any) -> Case:
    """Returns a problem in the form that every contender is given."""
    minima = (known.minimum, *getattr(known, "local", ()))
    return Case(known.problem.objective.fun, known.problem, known.x0, minima)


def is_solved(value: float, minima: tuple[float, ...]) -> bool:
    """Whether a value is within 1e-6 of a minimum."""
    return any(abs(value - low) <= (1e-6 * abs(low) if low else 1e-10) for low in minima)


def thalweg(method: str) -> Callable[[Case, Record | None], Any]:
    """Returns a run of `tw.minimize`, whose trace holds the counts."""

    def run(case: Case, record: Record | None) -> Any:
        import numpy as np

        import thalweg as tw

        if method not in KEPT:  # as the others keep theirs
            KEPT[method] = getattr(tw, method)(), tw.GradNorm(TOLERANCE) | tw.Steps(MOST)
        solver, stop = KEPT[method]
        result = tw.minimize(case.problem, case.x0, solver, stop=stop, on_failure="ignore")
        if record is not None:
            spent = np.cumsum(result.trace.evals.gradient + result.trace.evals.hvp)
            record.values = list(result.trace.value)
            record.work = [1, *spent[:-1].tolist()]  # up to the step that starts here
            record.total = int(spent[-1])
        return float(result.value)

    return run


def scipy(method: str, **options: Any) -> Callable[[Case, Record | None], Any]:
    """Returns a run of `scipy.optimize.minimize` with jitted derivatives."""

    def run(case: Case, record: Record | None) -> Any:
        import jax
        import numpy as np
        from scipy.optimize import minimize

        both, curvature = compiled(case.fun)

        def pair(x):
            value, grad = both(x)
            if record is not None:
                record.add(float(value))
            return float(value), np.asarray(grad)

        def hessian(x):
            if record is not None:
                record.total += len(x)
            return np.asarray(curvature(x))

        second = {"hess": hessian} if method in ("trust-exact", "Newton-CG") else {}
        found = minimize(pair, case.x0, jac=True, method=method, options={"maxiter": MOST, **options}, **second)
        jax.block_until_ready(found.x)
        return float(found.fun)

    return run


def compiled(fun: Callable) -> tuple[Callable, Callable]:
    """Returns value and gradient, and the Hessian, jitted once for each function."""
    import jax

    return KEPT.setdefault(id(fun), (jax.jit(jax.value_and_grad(fun)), jax.jit(jax.hessian(fun))))


def inside(solve: Callable) -> Callable[[Case, Record | None], Any]:
    """Returns a run of a package's solver `solve(fun, x0) -> x` inside `jax.jit`; the value is computed at the end."""

    def run(case: Case, record: Record | None) -> Any:
        import jax

        def told(x):
            value = case.fun(x)
            jax.debug.callback(lambda v: record.add(float(v)), value)
            return value

        fun = case.fun if record is None else told
        program = KEPT.setdefault(
            (id(solve), id(case.fun), record is None), jax.jit(lambda x0: outcome(solve, fun, case, x0))
        )
        value = float(program(case.x0))
        jax.effects_barrier()
        return value

    return run


def outcome(solve: Callable, fun: Callable, case: Case, x0: Any) -> Any:
    """Returns the value at the solution."""
    import jax

    with jax.numpy_dtype_promotion("standard"):
        return case.fun(solve(fun, x0))


def optimistix(name: str) -> Callable:
    """Returns a run of `optimistix.minimise`."""

    def solve(fun, x0):
        import optimistix as optx

        solver = getattr(optx, name)(rtol=TOLERANCE, atol=TOLERANCE)
        return optx.minimise(lambda x, args: fun(x), solver, x0, max_steps=MOST, throw=False).value

    return inside(solve)


def jaxopt() -> Callable:
    """Returns a run of `jaxopt.LBFGS`."""

    def solve(fun, x0):
        import jaxopt as package

        return package.LBFGS(fun, maxiter=MOST, tol=TOLERANCE).run(x0).params

    return inside(solve)


def optax() -> Callable:
    """Returns a run of `optax.lbfgs` in the loop of its manual."""

    def solve(fun, x0):
        import jax
        import jax.numpy as jnp
        import optax as package

        method = package.lbfgs()
        value_and_grad = package.value_and_grad_from_state(fun)

        def step(carry):
            x, state, _, count = carry
            value, grad = value_and_grad(x, state=state)
            updates, state = method.update(grad, state, x, value=value, grad=grad, value_fn=fun)
            return package.apply_updates(x, updates), state, package.tree.get(state, "grad"), count + 1

        def again(carry):
            return (carry[3] == 0) | ((carry[3] < MOST) & (jnp.max(jnp.abs(carry[2])) > TOLERANCE))

        x0 = jnp.asarray(x0)
        return jax.lax.while_loop(again, step, (x0, method.init(x0), jnp.zeros_like(x0), 0))[0]

    return inside(solve)


OURS = {
    "thalweg LBFGS": "LBFGS",
    "thalweg BFGS": "BFGS",
    "thalweg NewtonCG": "NewtonCG",
    "thalweg Newton": "Newton",
    "thalweg TrustRegion": "TrustRegion",
    "thalweg TrustExact": "TrustExact",
    "thalweg ConjugateGradient": "ConjugateGradient",
}
CONTENDERS: dict[str, Callable[[Case, Record | None], Any]] = {
    **{name: thalweg(method) for name, method in OURS.items()},
    "scipy L-BFGS-B": scipy("L-BFGS-B", gtol=TOLERANCE, ftol=0.0, maxfun=10 * MOST),
    "scipy BFGS": scipy("BFGS", gtol=TOLERANCE),
    "scipy trust-exact": scipy("trust-exact", gtol=TOLERANCE),
    "scipy Newton-CG": scipy("Newton-CG", xtol=TOLERANCE),
    "optimistix BFGS": optimistix("BFGS"),
    "optimistix LBFGS": optimistix("LBFGS"),
    "jaxopt LBFGS": jaxopt(),
    "optax lbfgs": optax(),
}
RIVAL = {
    "thalweg LBFGS": "scipy L-BFGS-B",
    "thalweg BFGS": "scipy BFGS",
    "thalweg NewtonCG": "scipy Newton-CG",
    "thalweg TrustRegion": "scipy trust-exact",
    "thalweg TrustExact": "scipy trust-exact",
}


def count(name: str) -> None:
    """Runs one contender on all problems, and prints the final values and the work."""
    begin()
    out = {}
    for problem, case in cases().items():
        record = Record()
        try:
            value = CONTENDERS[name](case, record)
        except Exception as error:  # a package that raises has not solved the problem
            print(f"{name} on {problem}: {error}", file=sys.stderr)
            value = math.nan
        there = [work for work, v in zip(record.work, record.values, strict=True) if is_solved(v, case.minima)]
        ok = is_solved(value, case.minima)
        row = {"value": value if math.isfinite(value) else None, "work": record.total, "solved": ok}
        out[problem] = row | {"n": len(case.x0), "first": there[0] if ok and there else None}
    print(json.dumps(out))


def time_one(name: str, problem: str) -> None:
    """Prints the time of the first call of this process, and the median of later ones."""
    import jax
    import jax.numpy as jnp

    begin()
    case = cases()[problem]
    jax.block_until_ready(jax.jit(lambda x: x + 1)(jnp.zeros(3)))
    seconds = []
    for _ in range(1 + WARM_CALLS):
        began = time.perf_counter()
        CONTENDERS[name](case, None)
        seconds.append(time.perf_counter() - began)
    print(json.dumps({"cold": seconds[0], "warm": statistics.median(seconds[1:])}))


def begin() -> None:
    """Imports the packages, enables float64 and ignores warnings before anything is measured."""
    import jax

    for package in ("jaxopt", "optax", "optimistix", "scipy.optimize", "thalweg"):
        importlib.import_module(package)
    jax.config.update("jax_enable_x64", True)
    warnings.simplefilter("ignore")


def ratio_to(theirs: dict, ours: dict) -> float:
    """Returns the ratio of our work to theirs, as the median over the problems that both solve."""
    both = [p for p in ours if ours[p]["solved"] and theirs[p]["solved"]]
    return statistics.median(ours[p]["work"] / theirs[p]["work"] for p in both)


def clocked(names: list[str], problems: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    """Returns the seconds of first and later calls: medians over the problems of medians over the rounds."""
    turns = [(p, n) for _ in range(ROUNDS) for p in problems for n in names]
    took = [(turn, fresh(__file__, "--time", turn[1], turn[0])) for turn in turns]

    def median(name: str, which: str) -> float:
        each = [[t[which] for turn, t in took if turn == (p, name)] for p in problems]
        return statistics.median(map(statistics.median, each)) if problems else math.nan

    return {name: (median(name, "cold"), median(name, "warm")) for name in names}


def main(names: list[str], out: str | None, timed: tuple[str, ...]) -> None:
    """Counts, times, and prints the table."""
    with ThreadPoolExecutor(2) as pool:
        counts = dict(zip(names, pool.map(lambda name: fresh(__file__, "--count", name), names), strict=True))
    times = clocked(names, timed)
    width = max(map(len, names))
    total = len(next(iter(counts.values())))
    print(f"\n{total} problems; work to the end as a ratio to SciPy's, where both solve; times on {', '.join(timed)}")
    print(f"  {'':{width}}  {'solved':>6}  {'/ L-BFGS-B':>10}  {'/ BFGS':>8}  {'cold [s]':>8}  {'warm [ms]':>9}")
    for name in names:
        solved = sum(row["solved"] for row in counts[name].values())
        pairs = [ratio_to(counts[rival], counts[name]) if rival in counts else math.nan for rival in SCIPY]
        cold, warm = times[name]
        print(f"  {name:{width}}  {solved:6d}  {pairs[0]:10.2f}  {pairs[1]:8.2f}  {cold:8.2f}  {1e3 * warm:9.2f}")
    for name, rival in RIVAL.items():
        if name in counts and rival in counts:
            ratio = verdict(ratio_to(counts[rival], counts[name]), EVALUATIONS_TARGET, " times")
            print(f"  {name} / {rival}, work: {ratio}")
            fail = [p for p, row in counts[name].items() if not row["solved"]]
            print(f"    not solved: {', '.join(fail) or 'none'}")
    if timed and "thalweg LBFGS" in times:
        cold, warm = times["thalweg LBFGS"]
        print(
            f"  thalweg LBFGS, cold: {verdict(cold, COLD_AIM, ' s')}; warm: {verdict(1e3 * warm, WARM_TARGET, ' ms')}"
        )
    if out:
        with open(out, "w") as file:
            json.dump(counts, file, indent=1)
    machine()


SCIPY = ("scipy L-BFGS-B", "scipy BFGS")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", choices=list(CONTENDERS))
    parser.add_argument("--time", nargs=2, metavar=("CONTENDER", "PROBLEM"))
    parser.add_argument("--only", nargs="*", default=list(CONTENDERS), help="contenders")
    parser.add_argument("--timed", nargs="*", default=list(TIMED), help="problems on which the clock runs")
    parser.add_argument("--out", help="a JSON file for profiles.py")
    given = parser.parse_args()
    if given.count:
        count(given.count)
    elif given.time:
        time_one(*given.time)
    else:
        main(given.only, given.out, tuple(given.timed))
