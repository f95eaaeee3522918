"""Test problems with their known minimum, minimizer, smoothness and strong convexity."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from thalweg.core.bounds import Bounds
from thalweg.core.problem import Problem
from thalweg.nonsmooth.norms import L1
from thalweg.nonsmooth.sets import Simplex
from thalweg.problems.bounded import hs1, hs2, hs3, hs4, hs5, hs25, hs38, hs45, hs110
from thalweg.problems.hock_schittkowski import hs6, hs7, hs21, hs28, hs35, hs48, hs71
from thalweg.problems.known import Critical, Known
from thalweg.problems.residuals import bard, beale_residuals
from thalweg.schedules import Exponential
from thalweg.solvers.blackbox.annealing import SimulatedAnnealing
from thalweg.solvers.blackbox.moves import BitFlip, Move, TwoOpt
from thalweg.solvers.latent.gaussian_mixture import GaussianMixture, Mixture


def quadratic(dimension: int = 10, condition: float = 100.0) -> Known:
    r"""A diagonal quadratic with a given condition number.

    \(\tfrac12\sum_i a_i x_i^2\), the \(a_i\) evenly spaced in logarithm between `1/condition` and 1.

    - `dimension`: the number of variables. `condition`: the condition number, >= 1.
    """
    a = np.logspace(-np.log10(condition), 0, dimension)

    def half_square(x, a=a):
        return 0.5 * jnp.sum(jnp.asarray(a, x.dtype) * x**2)

    return Known(Problem(half_square), np.ones(dimension), 0.0, np.zeros(dimension), 1.0, 1 / condition)


def rosenbrock(dimension: int = 2) -> Known:
    r"""Rosenbrock's function: a curved, flat valley (Rosenbrock 1960, doi:10.1093/comjnl/3.3.175).

    \(\sum_i 100(x_{i+1}-x_i^2)^2 + (1-x_i)^2\); minimum 0 at ones.

    - `dimension`: the number of variables, >= 2.
    """

    def valley(x):
        return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    start = np.resize([-1.2, 1.0], dimension)
    return Known(Problem(valley), start, 0.0, np.ones(dimension))


def beale() -> Known:
    r"""Beale's function of two variables, with the minimum 0 at (3, 0.5)."""

    def beale_function(x):
        u, v = x[0], x[1]
        return (1.5 - u + u * v) ** 2 + (2.25 - u + u * v**2) ** 2 + (2.625 - u + u * v**3) ** 2

    return Known(Problem(beale_function), np.array([1.0, 1.0]), 0.0, np.array([3.0, 0.5]))


def himmelblau() -> Known:
    r"""Himmelblau's function of two variables, with four minima of value 0, one of them at (3, 2)."""

    def himmelblau_function(x):
        u, v = x[0], x[1]
        return (u**2 + v - 11.0) ** 2 + (u + v**2 - 7.0) ** 2

    minima = [(3.0, 2.0), (-2.805118086952745, 3.131312518250573)]
    minima += [(-3.779310253377747, -3.283185991286170), (3.584428340330492, -1.848126526964404)]
    critical = tuple(Critical(point, "minimum", 0) for point in minima)
    return Known(Problem(himmelblau_function), np.array([0.0, 0.0]), 0.0, np.array([3.0, 2.0]), critical=critical)


def least_squares(examples: int = 60, dimension: int = 8, seed: int = 0) -> Known:
    """Linear regression on data: half the mean squared error; the minimum comes from the normal equations.

    - `examples`, `dimension`: the numbers of examples and of features. `seed`: the seed of the data.
    """
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(examples, dimension))
    b = a @ rng.normal(size=dimension) + 0.1 * rng.normal(size=examples)
    best = np.linalg.lstsq(a, b, rcond=None)[0]
    curvature = np.linalg.eigvalsh(a.T @ a / examples)

    def half_mean_square(x, batch):
        features, target = batch
        return 0.5 * jnp.mean((features @ x - target) ** 2)

    minimum = float(0.5 * np.mean((a @ best - b) ** 2))
    problem = Problem(half_mean_square, (_as_float(a), _as_float(b)))
    return Known(problem, np.zeros(dimension), minimum, best, float(curvature[-1]), float(curvature[0]))


def lasso(examples: int = 60, dimension: int = 20, weight: float = 0.1, seed: int = 0) -> Known:
    r"""The lasso, linear regression with an L1 penalty, whose minimizer is known exactly.

    \(\tfrac1{2n}\|Ax-b\|^2 + \lambda\|x\|_1\). The data are made for a given sparse \(x^*\): the residual is chosen so
    that \(A'r/n\) is a subgradient.

    - `examples`, `dimension`: the numbers of examples and of features. `weight`: \(\lambda\) >= 0.
    - `seed`: the seed of the data.
    """
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(examples, dimension))
    best = np.where(np.arange(dimension) < dimension // 4, rng.normal(size=dimension), 0.0)
    subgradient = np.where(best != 0, np.sign(best), rng.uniform(-0.9, 0.9, dimension))
    residual = a @ np.linalg.solve(a.T @ a, examples * weight * subgradient)
    b = a @ best + residual
    curvature = np.linalg.eigvalsh(a.T @ a / examples)

    def half_mean_square(x, batch):
        features, target = batch
        return 0.5 * jnp.mean((features @ x - target) ** 2)

    minimum = float(0.5 * np.mean(residual**2) + weight * np.abs(best).sum())
    problem = Problem(half_mean_square, (_as_float(a), _as_float(b)), nonsmooth=L1(weight))
    return Known(problem, np.zeros(dimension), minimum, best, float(curvature[-1]), float(curvature[0]))


def logistic(examples: int = 100, dimension: int = 4, weight: float = 0.1, seed: int = 0) -> Known:
    r"""Logistic regression with an L2 penalty, whose minimizer Newton's method finds to the last digit.

    \(\tfrac1n\sum_i \log(1 + e^{-b_i a_i'x}) + \tfrac\lambda2\|x\|^2\) with \(b_i = \pm1\).

    \(\mu = \lambda\), and \(L\) is \(\lambda\) plus a quarter of the largest eigenvalue of \(A'A/n\).

    - `examples`, `dimension`: the numbers of examples and of features. `weight`: \(\lambda\) > 0.
    - `seed`: the seed of the data.
    """
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(examples, dimension))
    b = np.where(rng.uniform(size=examples) < 1 / (1 + np.exp(-a @ rng.normal(size=dimension))), 1.0, -1.0)
    best = np.zeros(dimension)
    for _ in range(20):
        wrong = 1 / (1 + np.exp(b * (a @ best)))
        grad = weight * best - a.T @ (b * wrong) / examples
        hessian = (a.T * (wrong * (1 - wrong))) @ a / examples + weight * np.eye(dimension)
        best = best - np.linalg.solve(hessian, grad)

    def penalized_logistic(x, batch):
        features, sign = batch
        return jnp.mean(jnp.logaddexp(0.0, -sign * (features @ x))) + 0.5 * weight * jnp.sum(x**2)

    minimum = float(np.mean(np.logaddexp(0, -b * (a @ best))) + 0.5 * weight * best @ best)
    smoothness = float(np.linalg.eigvalsh(a.T @ a / examples)[-1] / 4 + weight)
    problem = Problem(penalized_logistic, (_as_float(a), _as_float(b)))
    return Known(problem, np.zeros(dimension), minimum, best, smoothness, weight)


def mixture(examples: int = 60, seed: int = 0) -> Known:
    r"""A Gaussian mixture of two overlapping components in the plane; the minimum comes from EM in NumPy.

    The mean negative log-likelihood of \(\sum_k \pi_k\,N(x; m_k, C_k)\), and its local minimum next to the start.

    - `examples`: the number of examples. `seed`: the seed of the data.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(examples, 2)) * [1.0, 0.6] + np.where(rng.random((examples, 1)) < 0.4, [3.0, 1.0], [0.0, 0.0])
    start = Mixture(np.full(2, 0.5), np.array([[-1.0, 0.0], [4.0, 0.0]]), np.stack([np.eye(2)] * 2))
    weights, means, covariances = start
    for _ in range(1000):
        d = x - means[:, None]
        root = np.sqrt(np.linalg.det(2 * np.pi * covariances))
        joint = (weights / root)[:, None] * np.exp(-np.sum(d @ np.linalg.inv(covariances) * d, 2) / 2)
        r = joint / joint.sum(0)
        weights, means = r.mean(1), r @ x / r.sum(1, keepdims=True)
        d = x - means[:, None]
        covariances = np.swapaxes(d, 1, 2) @ (r[:, :, None] * d) / r.sum(1)[:, None, None]
    problem = Problem(GaussianMixture(2, regularization=0.0), _as_float(x))
    return Known(problem, start, float(-np.mean(np.log(joint.sum(0)))))


def rastrigin(dimension: int = 2) -> Known:
    r"""Rastrigin's function: a local minimum near every point with integer coordinates.

    \(10 n + \sum_i x_i^2 - 10\cos 2\pi x_i\) with \(|x_i| \le 5.12\); minimum 0 at 0.

    - `dimension`: the number of variables.
    """

    def dents(x):
        return 10.0 * x.size + jnp.sum(x**2 - 10.0 * jnp.cos(2 * math.pi * x))

    box = Bounds(-5.12, 5.12)
    return Known(Problem(dents, bounds=box), np.resize([3.1, -2.9], dimension), 0.0, np.zeros(dimension))


def tour(cities: int = 12, seed: int = 0) -> Known:
    """Traveling salesman: the shortest tour of random cities; the minimum comes from dynamic programming.

    The variable is the order of the visits, a permutation.

    - `cities`: the number of cities in the unit square. `seed`: the seed of their places.
    """
    places = np.random.default_rng(seed).random((cities, 2))
    where = _as_float(places)

    def round_trip(order):
        path = where[order]
        return jnp.sum(jnp.sqrt(jnp.sum((path - jnp.roll(path, 1, axis=0)) ** 2, axis=1)))

    return Known(Problem(round_trip), np.arange(cities), shortest_tour(places), method=_annealing_over_run(TwoOpt()))


def shortest_tour(places: np.ndarray) -> float:
    """Returns the length of the shortest tour by the dynamic program of Held & Karp 1962."""
    distances = np.linalg.norm(places[:, None] - places, axis=2)
    n = len(places) - 1
    length = np.full((2**n, n), np.inf)  # from city n through the set, ending at one of its members
    for visited in range(1, 2**n):
        for last in range(n):
            before = visited ^ (1 << last)
            if visited >> last & 1:
                length[visited, last] = np.min(length[before] + distances[:n, last]) if before else distances[n, last]
    return float(np.min(length[-1] + distances[:n, n]))


def partition(count: int = 14, seed: int = 0) -> Known:
    """Number partitioning: integers in two groups of nearly equal sums; the minimum comes from enumeration.

    The variable is one bit per number, the value is the difference of the two sums.

    - `count`: how many numbers there are. `seed`: the seed of the numbers.
    """
    weights = np.random.default_rng(seed).integers(100, 1000, count)
    sides = 1 - 2 * (np.arange(2**count)[:, None] >> np.arange(count) & 1)
    numbers = _as_float(weights)

    def difference(bits):
        return jnp.abs(jnp.sum(jnp.where(bits, numbers, -numbers)))

    least = float(np.abs(sides @ weights).min())
    return Known(Problem(difference), np.zeros(count, bool), least, method=_annealing_over_run(BitFlip(2), 300.0))


def _annealing_over_run(move: Move, start: float = 1.0) -> SimulatedAnnealing:
    """Returns simulated annealing whose temperature decreases to a thousandth over the run."""
    return SimulatedAnnealing(move, Exponential(start, 1e-3, None))


def box_quadratic(dimension: int = 30, condition: float = 100.0, seed: int = 0) -> Known:
    r"""A quadratic in a box, whose minimizer is known exactly.

    \(\tfrac12 x'Ax - b'x\) with \(0 \le x \le 1\). It is made for a given \(x^*\), a third of whose entries lie at each
    limit: \(b = Ax^* - g\) with a gradient \(g\) that points out of the box there and is 0 elsewhere.

    - `dimension`: the number of variables. `condition`: the condition number. `seed`: the seed of the data.
    """
    rng = np.random.default_rng(seed)
    a = np.asarray(_random_spd_matrix(rng, dimension, condition))
    place = np.arange(dimension) % 3
    best = np.where(place == 0, 0.0, np.where(place == 1, 1.0, rng.uniform(0.2, 0.8, dimension)))
    gradient = np.where(place == 0, 1.0, np.where(place == 1, -1.0, 0.0)) * rng.uniform(0.1, 1.0, dimension)
    b = a @ best - gradient
    minimum = float(0.5 * best @ a @ best - b @ best)
    problem = Problem(_quadratic_form(a, b), bounds=Bounds(0.0, 1.0))
    return Known(problem, np.full(dimension, 0.5), minimum, best, 1.0, 1 / condition)


def simplex_least_squares(examples: int = 60, dimension: int = 12, seed: int = 0) -> Known:
    r"""Linear regression on the probability simplex, whose minimizer is known exactly.

    \(\tfrac1{2n}\|Ax-b\|^2\) with \(x \ge 0\), \(\sum_i x_i = 1\). The data are made for a given sparse \(x^*\): the
    residual is chosen so that the gradient is constant, and smallest, on the support.

    - `examples`, `dimension`: the numbers of examples and of features. `seed`: the seed of the data.
    """
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(examples, dimension)) * np.logspace(-0.5, 0, dimension)
    support = np.arange(dimension) < dimension // 3
    best = np.where(support, rng.dirichlet(np.ones(dimension)), 0.0)
    best = best / best.sum()
    gradient = np.where(support, 0.3, 0.3 + rng.uniform(0.05, 0.5, dimension))
    residual = a @ np.linalg.solve(a.T @ a, examples * gradient)
    b = a @ best - residual
    curvature = np.linalg.eigvalsh(a.T @ a / examples)

    def half_mean_square(x, batch):
        features, target = batch
        return 0.5 * jnp.mean((features @ x - target) ** 2)

    minimum = float(0.5 * np.mean(residual**2))
    problem = Problem(half_mean_square, (_as_float(a), _as_float(b)), nonsmooth=Simplex())
    start = np.eye(dimension)[-1]
    return Known(problem, start, minimum, best, float(curvature[-1]), float(curvature[0]))


def equality_quadratic(dimension: int = 10, equations: int = 3, condition: float = 10.0, seed: int = 0) -> Known:
    r"""A quadratic with linear equality constraints, whose KKT system is linear.

    \(\tfrac12 x'Ax - b'x\) with \(Cx = d\).

    - `dimension`, `equations`: the numbers of variables and of constraints. `condition`: the condition number of
      \(A\). `seed`: the seed of the data.
    """
    rng = np.random.default_rng(seed)
    a, c = np.asarray(_random_spd_matrix(rng, dimension, condition)), rng.normal(size=(equations, dimension))
    b, d = rng.normal(size=dimension), rng.normal(size=equations)
    system = np.block([[a, c.T], [c, np.zeros((equations, equations))]])
    best = np.linalg.solve(system, np.concatenate([b, d]))[:dimension]

    def affine(x):
        return as_like(c, x) @ x - as_like(d, x)

    minimum = float(0.5 * best @ a @ best - b @ best)
    return Known(
        Problem(_quadratic_form(a, b), equality=affine), np.zeros(dimension), minimum, best, 1.0, 1 / condition
    )


def _random_spd_matrix(rng: np.random.Generator, dimension: int, condition: float) -> np.ndarray:
    """Returns a symmetric matrix with random axes and eigenvalues evenly spaced in logarithm up to 1."""
    axes = np.linalg.qr(rng.normal(size=(dimension, dimension)))[0]
    return axes @ np.diag(np.logspace(-np.log10(condition), 0, dimension)) @ axes.T


def _quadratic_form(a: np.ndarray, b: np.ndarray) -> Callable:
    r"""Returns the function \(\tfrac12 x'Ax - b'x\)."""

    def quadratic_form(x):
        return 0.5 * x @ (as_like(a, x) @ x) - as_like(b, x) @ x

    return quadratic_form


def as_like(a: np.ndarray, x: Any) -> Any:
    """Returns `a` as a JAX array in the dtype of `x`."""
    return jnp.asarray(a, x.dtype)


def _as_float(a: np.ndarray) -> Any:
    """Returns `a` as a JAX array in the widest float in use."""
    return jnp.asarray(a, jnp.result_type(float))


ZOO: dict[str, Callable[[], Known]] = {
    "quadratic": quadratic,
    "rosenbrock": rosenbrock,
    "beale": beale,
    "himmelblau": himmelblau,
    "least-squares": least_squares,
    "beale-residuals": beale_residuals,
    "bard": bard,
    "lasso": lasso,
    "logistic": logistic,
    "mixture": mixture,
    "rastrigin": rastrigin,
    "tour": tour,
    "partition": partition,
    "box-quadratic": box_quadratic,
    "simplex-least-squares": simplex_least_squares,
    "equality-quadratic": equality_quadratic,
    "hs1": hs1,
    "hs2": hs2,
    "hs3": hs3,
    "hs4": hs4,
    "hs5": hs5,
    "hs6": hs6,
    "hs7": hs7,
    "hs21": hs21,
    "hs25": hs25,
    "hs28": hs28,
    "hs35": hs35,
    "hs38": hs38,
    "hs45": hs45,
    "hs48": hs48,
    "hs71": hs71,
    "hs110": hs110,
}
"""Name on the command line and in the registry -> problem."""
