"""Many runs in one call: many starts, many data sets, or both."""

import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.tree_util import tree_leaves_with_path

from thalweg.checks import check_request
from thalweg.core.duration import resolve
from thalweg.core.fields import is_tracer, replace
from thalweg.core.first_order import as_solver
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.status import Status
from thalweg.core.stop import Stop
from thalweg.core.types import Params, widest
from thalweg.core.variables import check_start, is_array, is_numeric, leaf_name, rejoin, split
from thalweg.prepare import as_problem, planned
from thalweg.run.explain.cautions import within
from thalweg.run.launch import engine_for
from thalweg.run.loss_facts import UNDER_TRANSFORM
from thalweg.run.many.batch_result import BatchResult
from thalweg.run.many.ends import evals_of_runs, returned_points, run_ends
from thalweg.run.many.pool import Pool, Runs
from thalweg.run.plan import Plan, Request
from thalweg.run.result import MinimizeError, WallTime
from thalweg.run.warn import warn


def minimize_batch(
    problem: Problem | Callable,
    starts: Params,
    method: Any = None,
    *,
    data: Any = None,
    stop: Stop | None = None,
    seed: Any = 0,
    on_failure: str = "warn",
) -> BatchResult:
    """Minimize from many starts, or minimize many problems, in one call. Every run ends by itself.

    - `problem`: a `Problem`, or a plain function: `f(x)`, or `f(x, data)` where each run has data of its own.
    - `starts`: a tree in which every variable has a leading axis of runs; all other leaves are shared.
    - `method`, `stop`: as in `minimize`, the same for all runs; but a number of the method may be an array with one
      entry for each run, e.g. `tw.Adam(jnp.logspace(-4, -1, 16))`: so a sweep of learning rates is a batch of runs.
    - `data`: a tree in which every array has the leading axis too: run `i` minimizes on `data[i]`. The problem's own
      data are shared by all runs.
    - `seed`: run `i` of a random method uses `fold_in(seed, i)`; of an array of seeds its own, as `minimize` would.
    - `on_failure`: what to do if any run failed: `"warn"`, `"raise"` or `"ignore"`.

    Whole data only, without callbacks or validation. The runs share one compiled program of at most 256 lanes (on a
    CPU), whatever their number; a run that ends makes room for the next.
    """
    began = time.perf_counter()
    stacked, frozen, number = _stacked_start(starts, method)
    first, swept = _first_numbers(method, stacked, number)
    own_seeds = np.ndim(seed) > 0
    seeds = _checked_seeds(seed, number) if own_seeds else seed
    request = Request(first, stop, seed=0 if own_seeds else seed)
    check_request(request, on_failure)
    problem = as_problem(problem, None)
    _refuse_parts(problem)
    if any(is_tracer(leaf) for leaf in jax.tree.leaves((problem, data))):
        raise TypeError(UNDER_TRANSFORM)
    data = _checked_data(data, number)
    problem = problem if data is None else _with_data(problem, jax.tree.map(lambda leaf: leaf[0], data))
    x = jax.tree.map(lambda leaf: leaf[0], stacked)
    plan = planned(problem, x, frozen, request)
    engine_for(plan, x, request)
    stacked = jax.tree.map(np.asarray, within(problem, stacked, "some starts lie"))
    seeds = np.asarray(seeds, np.uint32)
    own = _own_numbers(method, number, plan) if swept else ()
    runs = Runs(plan.task, seeds, stacked, number, data, own, plan.epoch.steps)
    return _report_batch(_run_all(runs, plan, began), on_failure)


def _first_numbers(method: Any, stacked: Params, number: int) -> tuple[Any, bool]:
    """The method of the first run, and whether any number of the method has a leading axis of runs.

    An array of the shape of a variable (the scale of a move for every coordinate, say) is shared by all runs.
    """
    given = as_solver(method)
    if not isinstance(given, Solver):
        return method, False
    alike = {np.shape(leaf)[1:] for leaf in jax.tree.leaves(stacked)}
    for path, leaf in tree_leaves_with_path(given):
        if np.ndim(leaf) and not _is_own(leaf, number) and np.shape(leaf) not in alike:
            raise ValueError(
                f"method: {leaf_name(path)} has shape {np.shape(leaf)} and there are {number} starts: give one number "
                "for all runs, or an array with one for each."
            )
    if not any(_is_own(leaf, number) for leaf in jax.tree.leaves(given)):
        return method, False
    first = jax.tree.map(lambda leaf: leaf[0] if _is_own(leaf, number) else leaf, given)
    return jax.tree.map(lambda leaf: leaf if np.ndim(leaf) else float(leaf), first), True


def _own_numbers(method: Any, number: int, plan: Plan) -> tuple[Any, ...]:
    """The numbers that each run has for itself, in the order of the plan's solver's leaves; None for all others."""
    leaves = jax.tree.leaves(resolve(as_solver(method), plan.epoch.steps, plan.cadence.length))
    return tuple(np.asarray(leaf, widest()) if _is_own(leaf, number) else None for leaf in leaves)


def _is_own(leaf: Any, number: int) -> bool:
    """Whether a number of the method is an array with a leading axis of runs."""
    return np.ndim(leaf) > 0 and np.shape(leaf)[0] == number


def _checked_seeds(seeds: Any, number: int) -> np.ndarray:
    """One seed for each run."""
    seeds = np.asarray(seeds)
    if seeds.shape != (number,) or not np.issubdtype(seeds.dtype, np.integer) or seeds.min() < 0:
        raise ValueError(
            f"seed has shape {seeds.shape} and dtype {seeds.dtype}, and there are {number} starts: give one whole "
            "number >= 0 for all runs, or an array with one for each."
        )
    return seeds


def _run_all(runs: Runs, plan: Plan, began: float) -> BatchResult:
    """All runs, and what is known of them."""
    ended = Pool(runs).run()
    ends, compiling = run_ends(ended, runs.task.stop), ended.compile_seconds
    limited = (ends.status == Status.STEP_LIMIT) & plan.default_limit
    return BatchResult(
        x=rejoin(returned_points(ended, ends), plan.frozen),
        value=plan.problem.sign * ends.values,
        optimality=ends.trace.optimality[ends.row],
        infeasibility=ends.trace.infeasibility[ends.row],
        status=ends.status,
        ok=~ends.lost & ~limited,
        steps=ends.steps,
        evals=evals_of_runs(ended, ends),
        seconds=WallTime(compiling, max(time.perf_counter() - began - compiling, 0.0)),
        method=runs.task.solver,
        name=plan.name(),
        reason=plan.reason,
        maximize=plan.problem.sign < 0,
        problem=runs.task.problem,
        frozen=plan.frozen,
        stop=runs.task.stop,
        ended=ended,
        ends=ends,
    )


def _refuse_parts(problem: Problem) -> None:
    """One sentence where a part of the problem goes with one run only."""
    if problem.stream is not None:
        raise ValueError(
            f"minimize_batch: {problem.stream!r} brings batches, and many runs see whole data: give arrays."
        )
    if problem.validation is not None:
        raise ValueError("minimize_batch: validation goes with one run; leave validation=None, or call tw.minimize.")


def _stacked_start(starts: Params, method: Any) -> tuple[Params, Any, int]:
    """The stacked variables, what is held fixed, and the number of runs."""
    if any(is_tracer(leaf) for leaf in jax.tree.leaves(starts)):
        raise TypeError(UNDER_TRANSFORM)
    integers = isinstance(method, Solver) and Oracle.GRADIENT not in method.needs
    stacked, frozen = split(check_start(starts, integers, "starts"), integers)
    leaves = tree_leaves_with_path(stacked)
    lengths = {f"starts[{leaf_name(path)}]" if path else "starts": np.shape(leaf)[:1] for path, leaf in leaves}
    flat = next((name for name, length in lengths.items() if not length), None)
    if flat is not None:
        raise ValueError(f"{flat} is a single number: every variable needs a leading axis of runs, one row a start.")
    if len(set(lengths.values())) > 1:
        sizes = ", ".join(f"{name} has {n}" for name, (n,) in lengths.items())
        raise ValueError(f"starts have no common leading axis ({sizes}): stack every variable, one row a run.")
    (number,) = next(iter(lengths.values()))
    if not number:
        raise ValueError("starts are empty: their leading axis, which counts the runs, has length 0.")
    return stacked, frozen, number


def _checked_data(data: Any, number: int) -> Any:
    """Data with the leading axis of the starts."""
    if data is None:
        return None
    data = jax.tree.map(lambda leaf: leaf if is_array(leaf) else np.asarray(leaf), data)
    for path, leaf in tree_leaves_with_path(data):
        name = f"data[{leaf_name(path)}]" if path else "data"
        if not is_numeric(leaf.dtype):
            raise TypeError(f"{name} has dtype {leaf.dtype}: give arrays of numbers.")
        if leaf.shape[:1] != (number,):
            has = f"has {leaf.shape[0]} rows" if leaf.shape else "is a single number"
            raise ValueError(
                f"{name} {has} and there are {number} starts: stack the data of all runs, or, if they share them, "
                "give them to the problem: tw.Problem(f, data)."
            )
    return jax.tree.map(jax.numpy.asarray, data)


def _with_data(problem: Problem, data: Any) -> Problem:
    """The problem on other whole data."""
    objective = problem.objective
    return replace(problem, objective=objective.on(data, None, objective.model_state))


def _report_batch(result: BatchResult, on_failure: str) -> BatchResult:
    """The result, with its failures said as the user asked."""
    failed = np.flatnonzero(~result.ok)
    if on_failure == "ignore" or not len(failed):
        return result
    if on_failure == "raise":
        raise MinimizeError(result)
    first = int(failed[0])
    warn(f"{len(failed)} of {len(result)} runs failed; run {first}: {result.says(first)}")
    return result
