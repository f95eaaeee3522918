"""The KKT conditions at a point, with the multipliers by name."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import tree_leaves_with_path

from thalweg.core.compiled import program
from thalweg.core.constraints import names
from thalweg.core.kkt import Multipliers, constraint_jacobian, estimate, stationarity
from thalweg.core.problem import Problem
from thalweg.core.tree import ravel, unravel
from thalweg.core.types import Params
from thalweg.core.variables import check_start, entries, leaf_name, rejoin, split

_NNLS_EXCHANGES_PER_COLUMN = 3
"""The limit on exchanges of non-negative least squares, per column, as Lawson & Hanson set it."""
_MAX_PRINTED_ROWS = 40
"""The number of constraints that the printed table lists."""


class ConstraintRow(NamedTuple):
    """One constraint, or one side of a bound, in a KKT report.

    - `name`: the name of the constraint or variable. `value`: `h`, `c`, `lower - x` or `x - upper`.
    - `multiplier`: its multiplier. `active`: whether it counts as active.
    """

    name: str
    value: float
    multiplier: float
    active: bool

    @property
    def strict(self) -> bool:
        """Whether the constraint is active with a positive multiplier."""
        return self.active and self.multiplier > 0


class KKT(NamedTuple):
    r"""How far a point is from satisfying the KKT conditions; printing it shows a table.

    - `residual`: the largest of stationarity, \(|h|\) and \(|\min(\mu, -c)|\), which `tw.GradNorm` tests.
    - `stationarity`: the largest entry of \(\nabla f + J_h'\lambda + J_c'\mu\); with bounds or a nonsmooth part, of the
      corresponding projected step.
    - `feasibility`: the largest violation of a constraint.
    - `complementarity`: the largest \(|\mu_i c_i|\).
    - `sign`: the largest \(-\mu_i\), 0 if no multiplier is negative.
    - `equality`, `inequality`, `bounds`: a `ConstraintRow` for every constraint, and for every active side of a bound.
    - `rank`, `count`: the rank and the number of the gradients of active constraints and bounds. If `rank < count`, the
      gradients are linearly dependent (LICQ fails) and the multipliers are not unique.
    - `multipliers`: \(\lambda\) and \(\mu\) as vectors.
    """

    residual: float
    stationarity: float
    feasibility: float
    complementarity: float
    sign: float
    equality: tuple[ConstraintRow, ...]
    inequality: tuple[ConstraintRow, ...]
    bounds: tuple[ConstraintRow, ...]
    rank: int
    count: int
    multipliers: Multipliers

    @property
    def independent(self) -> bool:
        """Whether the gradients of the active constraints are linearly independent (LICQ)."""
        return self.rank == self.count

    @property
    def active(self) -> tuple[str, ...]:
        """The names of the active inequalities and bounds."""
        return tuple(line.name for line in self.inequality + self.bounds if line.active)

    @property
    def strict(self) -> bool:
        """Strict complementarity: every active inequality or bound has a positive multiplier."""
        return all(line.strict for line in self.inequality + self.bounds if line.active)

    def ok(self, tolerance: float = 1e-6) -> bool:
        """Whether the residual is at most `tolerance`."""
        return self.residual <= tolerance

    def __str__(self) -> str:
        dependent = f"dependent (rank {self.rank} of {self.count}), so the multipliers are not unique"
        licq = "independent" if self.independent else dependent
        rows = [
            ("KKT residual", f"{self.residual:.3g}"),
            ("stationarity", f"{self.stationarity:.3g}"),
            ("feasibility", f"{self.feasibility:.3g}"),
            ("complementarity", f"{self.complementarity:.3g}"),
            ("multipliers >= 0", "yes" if self.sign == 0 else f"no, one is {-self.sign:.3g}"),
            ("active gradients", licq if self.count else "none"),
            ("strictness", "strict" if self.strict else "an active constraint has the multiplier 0"),
        ]
        lines = [f"{name:16}  {text}" for name, text in rows]
        table = self.equality + self.inequality + self.bounds
        if table:
            width = max(len(line.name) for line in table[:_MAX_PRINTED_ROWS])
            lines += ["", f"{'':{width}}  {'value':>11}  {'multiplier':>11}"]
            lines += [
                f"{line.name:{width}}  {line.value:11.4g}  {line.multiplier:11.4g}{'  active' if line.active else ''}"
                for line in table[:_MAX_PRINTED_ROWS]
            ]
        lines += [f"and {len(table) - _MAX_PRINTED_ROWS} more"] if len(table) > _MAX_PRINTED_ROWS else []
        return "\n".join(lines)

    __repr__ = __str__


class _FirstOrderData(NamedTuple):
    """Gradient, constraints, their Jacobian, distances to the bounds, and the loop's estimate of the multipliers."""

    x: np.ndarray
    grad: np.ndarray
    equality: np.ndarray
    inequality: np.ndarray
    jacobian: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    infeasibility: np.ndarray
    estimate: Multipliers

    def on_the_host(self) -> "_FirstOrderData":
        """The same in NumPy, in float64 but for `x`, whose dtype decides what is near."""
        return jax.tree.map(lambda array: np.asarray(array, float), self)._replace(x=np.asarray(self.x))


def kkt(problem: Problem | Callable, x: Params, multipliers: Any = None, *, active: float | None = None) -> KKT:
    r"""Reports the KKT conditions of a problem at `x`.

    - `problem`: a `tw.Problem`, or a function of `x`.
    - `x`: the point, a tree like the one that `tw.minimize` was given, for instance `result.x`.
    - `multipliers`: `(lambda, mu)` as vectors, for instance `result.state.state.multipliers` of an augmented
      Lagrangian. None to estimate them, both by non-negative least squares over the active constraints, so that a KKT
      point is recognized even if its multipliers are not unique, and as the loop does; the better estimate is reported.
    - `active`: up to which distance from its limit an inequality or a bound counts as active. None for 1e-6, or for
      10 sqrt(eps) of the dtype if that is larger.

    This computes one gradient and one Jacobian of the constraints.
    """
    problem = problem if isinstance(problem, Problem) else Problem(problem)
    variables, frozen = split(check_start(x))
    problem = problem.training(frozen)
    found, dynamic = program(_look_at, problem, variables)
    here = _FirstOrderData(*found.call(dynamic)).on_the_host()
    near = max(1e-6, 10 * float(np.finfo(here.x.dtype).eps) ** 0.5) if active is None else active
    if multipliers is not None:
        return _kkt_report(problem, variables, here, _as_multipliers(multipliers, here), near)
    # Try the loop's estimate too: it needs no active set, and takes sets and penalties into account.
    candidates = (_nonnegative_multipliers(here, near), here.estimate)
    reports = [_kkt_report(problem, variables, here, y, near) for y in candidates]
    return min(reports, key=lambda report: report.residual)


def _look_at(problem: Problem, x: Params) -> tuple:
    """The fields of `_FirstOrderData`; one program, because each of its many small operations would be one."""
    grad = problem.objective.evaluate(x).grad
    flat = ravel(x)
    lower, upper = (-jnp.inf, jnp.inf) if problem.bounds is None else problem.bounds.sides(x)
    gaps = [jnp.broadcast_to(gap, flat.shape) for gap in (flat - lower, upper - flat)]
    constraints = (problem.equalities(x), problem.inequalities(x), constraint_jacobian(problem, x))
    return flat, ravel(grad), *constraints, *gaps, problem.infeasibility(x), estimate(problem, x, grad)[0]


def _stationarity_at(problem: Problem, x: Params, lagrangian: jax.Array) -> jax.Array:
    """The stationarity of a gradient that is given as a vector."""
    return stationarity(problem, x, unravel(lagrangian, x))


def _as_multipliers(multipliers: Any, here: _FirstOrderData) -> Multipliers:
    """Checks the user's multipliers, and returns them as vectors."""
    if not isinstance(multipliers, (tuple, list)) or len(multipliers) != 2:
        raise TypeError(f"kkt(multipliers={multipliers!r}): give the pair (equality, inequality), with () for none.")
    parts = []
    for name, part, values in zip(
        ("equality", "inequality"), multipliers, (here.equality, here.inequality), strict=True
    ):
        vector = np.concatenate([np.ravel(np.asarray(leaf, float)) for leaf in jax.tree.leaves(part)] or [np.zeros(0)])
        if vector.size != values.size:
            raise ValueError(
                f"kkt(multipliers=...): {vector.size} for {values.size} entries of {name}: give one multiplier for "
                "each entry."
            )
        parts.append(vector)
    return Multipliers(*parts)


def _nonnegative_multipliers(here: _FirstOrderData, near: float) -> Multipliers:
    """Returns multipliers that minimize the gradient of the Lagrangian, >= 0 for active inequalities and bounds."""
    m, n = here.equality.size, here.x.size
    slack = np.flatnonzero(here.inequality >= -near)
    low, high = np.flatnonzero(here.lower <= near), np.flatnonzero(here.upper <= near)
    eye = np.eye(n)
    free = here.jacobian[:m].T
    columns = np.concatenate([here.jacobian[m + slack].T, -eye[:, low], eye[:, high]], axis=1)
    span = np.linalg.svd(free, full_matrices=False)
    rank = int(np.sum(span[1] > span[1].max(initial=0) * max(free.shape) * np.finfo(float).eps)) if m else 0
    basis = span[0][:, :rank]

    def outside(a: np.ndarray) -> np.ndarray:
        return a - basis @ (basis.T @ a)

    z = nnls(outside(columns), outside(-here.grad))
    mu = np.zeros(here.inequality.size)
    mu[slack] = z[: slack.size]
    rest = -(here.grad + columns @ z)
    return Multipliers(np.linalg.lstsq(free, rest, rcond=None)[0] if m else np.zeros(0), mu)


def nnls(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    r"""\(\arg\min_{z \ge 0} \|Az - b\|\) by active sets (Lawson & Hanson 1974, doi:10.1137/1.9781611971217, ch. 23)."""
    count = a.shape[1]
    z, passive = np.zeros(count), np.zeros(count, bool)
    tolerance = 10 * np.finfo(float).eps * max(a.shape, default=0) * np.abs(a).max(initial=0) * np.abs(b).max(initial=0)
    for _ in range(_NNLS_EXCHANGES_PER_COLUMN * count):
        pull = np.where(passive, -np.inf, a.T @ (b - a @ z))
        if not count or pull.max() <= tolerance:
            break
        passive[pull.argmax()] = True
        while True:
            best = np.zeros(count)
            best[passive] = np.linalg.lstsq(a[:, passive], b, rcond=None)[0]
            blocked = passive & (best <= 0)
            if not blocked.any():
                break
            step = np.min(z[blocked] / np.maximum(z[blocked] - best[blocked], np.finfo(float).tiny))
            z = z + step * (best - z)
            passive &= z > tolerance
            z = np.where(passive, z, 0.0)
        z = best
    return z


def _kkt_report(problem: Problem, x: Params, here: _FirstOrderData, y: Multipliers, near: float) -> KKT:
    """Returns the report for these multipliers."""
    m = here.equality.size
    lagrangian = here.grad + here.jacobian.T @ np.concatenate([y.equality, y.inequality])
    found, dynamic = program(_stationarity_at, problem, x, lagrangian.astype(here.x.dtype))
    stationary = float(found.call(dynamic))
    on, low, high = here.inequality >= -near, here.lower <= near, here.upper <= near
    tree, frozen_names = rejoin(x, problem.objective.frozen), _entry_names(x)
    equality = _constraint_rows(names("equality", problem.equality, tree), here.equality, y.equality, np.ones(m, bool))
    inequality = _constraint_rows(names("inequality", problem.inequality, tree), here.inequality, y.inequality, on)
    # At a bound, what remains of the Lagrangian's gradient is the multiplier of the bound. (0 - 0 is not -0.)
    bounds = _constraint_rows(
        [f"{n} lower" for n in frozen_names],
        0 - here.lower,
        np.maximum(lagrangian, 0),
        low & ~(high & (lagrangian < 0)),
    )
    bounds += _constraint_rows(
        [f"{n} upper" for n in frozen_names],
        0 - here.upper,
        np.maximum(-lagrangian, 0),
        high & ~(low & (lagrangian >= 0)),
    )
    bounds = tuple(line for line in bounds if line.active)
    eye = np.eye(here.x.size)[low | high]
    gradients = np.concatenate([here.jacobian[:m], here.jacobian[m:][on], eye])
    slack = np.abs(np.minimum(y.inequality, -here.inequality)).max(initial=0)
    return KKT(
        residual=float(np.maximum(np.maximum(stationary, np.abs(here.equality).max(initial=0)), slack)),
        stationarity=stationary,
        feasibility=float(here.infeasibility),
        complementarity=float(np.abs(y.inequality * here.inequality).max(initial=0)),
        sign=float(np.maximum(-y.inequality, 0).max(initial=0)),
        equality=equality,
        inequality=inequality,
        bounds=bounds,
        rank=int(np.linalg.matrix_rank(gradients)) if gradients.size else 0,
        count=len(gradients),
        multipliers=y,
    )


def _constraint_rows(
    labels: list[str], values: np.ndarray, multipliers: np.ndarray, active: np.ndarray
) -> tuple[ConstraintRow, ...]:
    """Returns a row for each entry of a constraint."""
    rows = zip(labels, values, multipliers, active, strict=True)
    return tuple(ConstraintRow(name, float(value), float(y), bool(on)) for name, value, y, on in rows)


def _entry_names(x: Params) -> list[str]:
    """Returns a name for every variable, such as `x[0]` or `layer/weight[1, 2]`."""
    found = []
    for path, leaf in tree_leaves_with_path(x):
        found += entries(leaf_name(path), leaf.shape)
    return found
