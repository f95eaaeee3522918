"""Problems 20 to 35 of the collection, for any number of variables; a minimum that is not known is NaN."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.problems.more_garbow_hillstrom.sums import SumOfSquares, from_residuals
from thalweg.problems.zoo import as_like


def watson(n: int = 6) -> SumOfSquares:
    r"""MGH 20 (Watson): a polynomial that solves a differential equation at 29 points.

    \(\sum_j (j-1)x_jt_i^{j-2} - (\sum_j x_jt_i^{j-1})^2 - 1\), \(t_i = i/29\), and \(x_1\), \(x_2 - x_1^2 - 1\);
    2.28767e-3, 1.39976e-6 and 4.72238e-10 for n = 6, 9 and 12.

    - `n`: the number of variables, from 2 to 31.
    """
    _check_dimension(n, 2, 31)
    t, j = np.arange(1.0, 30.0)[:, None] / 29, np.arange(n)
    powers = t**j
    slopes = j * t ** np.maximum(j - 1, 0)

    def equation(x):
        inside = as_like(slopes, x) @ x - (as_like(powers, x) @ x) ** 2 - 1.0
        return jnp.concatenate([inside, x[:1], x[1:2] - x[:1] ** 2 - 1.0])

    known = {6: 2.28767005355235e-3, 9: 1.3997601382e-6, 12: 4.7223811e-10}
    return from_residuals(equation, np.zeros(n), known.get(n, math.nan))


def extended_rosenbrock(n: int = 10) -> SumOfSquares:
    r"""MGH 21 (extended Rosenbrock): n/2 copies of Rosenbrock's function.

    \(10(x_{2i} - x_{2i-1}^2),\ 1 - x_{2i-1}\); 0 at ones.

    - `n`: the number of variables, even.
    """
    _check_dimension(n, 2, multiple=2)

    def valleys(x):
        odd, even = x[::2], x[1::2]
        return jnp.concatenate([10.0 * (even - odd**2), 1.0 - odd])

    return from_residuals(valleys, np.resize([-1.2, 1.0], n), 0.0, np.ones(n))


def extended_powell(n: int = 12) -> SumOfSquares:
    r"""MGH 22 (extended Powell singular): n/4 copies of a problem with a singular Hessian.

    \(x_{4i-3} + 10x_{4i-2},\ \sqrt5(x_{4i-1}-x_{4i}),\ (x_{4i-2}-2x_{4i-1})^2,\ \sqrt{10}(x_{4i-3}-x_{4i})^2\); 0 at 0.

    - `n`: the number of variables, a multiple of 4.
    """
    _check_dimension(n, 4, multiple=4)

    def singular(x):
        a, b, c, d = x.reshape(-1, 4).T
        squares = [(b - 2.0 * c) ** 2, math.sqrt(10.0) * (a - d) ** 2]
        return jnp.concatenate([a + 10.0 * b, math.sqrt(5.0) * (c - d), *squares])

    return from_residuals(singular, np.resize([3.0, -1.0, 0.0, 1.0], n), 0.0, np.zeros(n))


def penalty_1(n: int = 10) -> SumOfSquares:
    r"""MGH 23 (penalty I): a penalty for leaving the sphere of radius 1/2, with weak terms that favor ones.

    \(\sqrt{10^{-5}}(x_i-1),\ \|x\|^2 - \tfrac14\); 2.24997e-5 for n = 4, 7.08765e-5 for n = 10.

    - `n`: the number of variables.
    """
    _check_dimension(n, 1)

    def sphere(x):
        return jnp.append(math.sqrt(1e-5) * (x - 1.0), jnp.sum(x**2) - 0.25)

    known = {4: 2.2499775008999e-5, 10: 7.0876514670904e-5}
    return from_residuals(sphere, np.arange(1.0, n + 1), known.get(n, math.nan))


def penalty_2(n: int = 10) -> SumOfSquares:
    r"""MGH 24 (penalty II): a penalty for leaving an ellipsoid, with weak exponential terms.

    With \(a = 10^{-5}\), \(y_i = e^{i/10} + e^{(i-1)/10}\): \(x_1 - 0.2\);
    \(\sqrt a(e^{x_i/10} + e^{x_{i-1}/10} - y_i)\) and \(\sqrt a(e^{x_i/10} - e^{-1/10})\) for
    \(i = 2..n\); \(\sum_j (n-j+1)x_j^2 - 1\); 9.37629e-6 for n = 4, 2.93660e-4 for n = 10.

    - `n`: the number of variables.
    """
    _check_dimension(n, 1)
    i = np.arange(1.0, n + 1)
    y = np.exp(i[1:] / 10) + np.exp(i[:-1] / 10)

    def ellipsoid(x):
        rise, weak = jnp.exp(x / 10), math.sqrt(1e-5)
        middle = [weak * (rise[1:] + rise[:-1] - as_like(y, x)), weak * (rise[1:] - math.exp(-0.1))]
        return jnp.concatenate([x[:1] - 0.2, *middle, jnp.sum(as_like(i[::-1], x) * x**2, keepdims=True) - 1.0])

    known = {4: 9.3762931e-6, 10: 2.93660537456746e-4}
    return from_residuals(ellipsoid, np.full(n, 0.5), known.get(n, math.nan))


def variably_dimensioned(n: int = 10) -> SumOfSquares:
    r"""MGH 25 (variably dimensioned): a quadratic plus a steep quartic in one direction.

    \(x_i - 1\), \(s = \sum_j j(x_j-1)\), \(s^2\); 0 at ones.

    - `n`: the number of variables.
    """
    _check_dimension(n, 1)
    j = np.arange(1.0, n + 1)

    def steep(x):
        s = jnp.sum(as_like(j, x) * (x - 1.0), keepdims=True)
        return jnp.concatenate([x - 1.0, s, s**2])

    return from_residuals(steep, 1.0 - j / n, 0.0, np.ones(n))


def trigonometric(n: int = 10) -> SumOfSquares:
    r"""MGH 26 (trigonometric): coupled sines and cosines; for n = 10 most methods end at a local minimum.

    \(n - \sum_j\cos x_j + i(1-\cos x_i) - \sin x_i\); 0 at 0, and 2.79506e-5 for n = 10.

    - `n`: the number of variables.
    """
    _check_dimension(n, 1)
    i = np.arange(1.0, n + 1)

    def waves(x):
        cosine = jnp.cos(x)
        return n - jnp.sum(cosine) + as_like(i, x) * (1.0 - cosine) - jnp.sin(x)

    return from_residuals(waves, np.full(n, 1 / n), 0.0, np.zeros(n), [2.79505612187905e-5] if n == 10 else [])


def brown_almost_linear(n: int = 10) -> SumOfSquares:
    r"""MGH 27 (Brown almost-linear): all equations but one are linear.

    \(x_i + \sum_j x_j - (n+1)\) for \(i < n\), \(\prod_j x_j - 1\); 0 at ones, and 1 at \((0,\dots,0,n+1)\).

    - `n`: the number of variables, >= 2.
    """
    _check_dimension(n, 2)

    def almost_linear(x):
        return jnp.append(x[:-1] + jnp.sum(x) - (n + 1.0), jnp.prod(x) - 1.0)

    return from_residuals(almost_linear, np.full(n, 0.5), 0.0, np.ones(n), [1.0])


def discrete_boundary_value(n: int = 10) -> SumOfSquares:
    r"""MGH 28 (discrete boundary value): finite differences of a differential equation with zero boundary values.

    \(x'' = \tfrac12(x+t+1)^3\): \(2x_i - x_{i-1} - x_{i+1} + \tfrac12h^2(x_i+t_i+1)^3\), \(h = 1/(n+1)\), \(t_i = ih\),
    \(x_0 = x_{n+1} = 0\); 0.

    - `n`: the number of variables.
    """
    _check_dimension(n, 1)
    t = np.arange(1.0, n + 1) / (n + 1)

    def differences(x):
        padded = jnp.pad(x, 1)
        return 2.0 * x - padded[:-2] - padded[2:] + (x + as_like(t, x) + 1.0) ** 3 / (2 * (n + 1) ** 2)

    return from_residuals(differences, t * (t - 1.0), 0.0)


def discrete_integral(n: int = 10) -> SumOfSquares:
    r"""MGH 29 (discrete integral equation): the equation of MGH 28 with its Green's function.

    \(x_i + \tfrac h2[(1-t_i)\sum_{j\le i}t_j(x_j+t_j+1)^3 + t_i\sum_{j>i}(1-t_j)(x_j+t_j+1)^3]\); 0.

    - `n`: the number of variables.
    """
    _check_dimension(n, 1)
    t = np.arange(1.0, n + 1) / (n + 1)
    green = np.minimum(t[:, None], t) * (1.0 - np.maximum(t[:, None], t)) / (2 * (n + 1))

    def integral(x):
        return x + as_like(green, x) @ (x + as_like(t, x) + 1.0) ** 3

    return from_residuals(integral, t * (t - 1.0), 0.0)


def broyden_tridiagonal(n: int = 10) -> SumOfSquares:
    r"""MGH 30 (Broyden tridiagonal): each equation couples a variable with its two neighbors.

    \((3-2x_i)x_i - x_{i-1} - 2x_{i+1} + 1\), \(x_0 = x_{n+1} = 0\); 0.

    - `n`: the number of variables.
    """
    _check_dimension(n, 1)

    def tridiagonal(x):
        padded = jnp.pad(x, 1)
        return (3.0 - 2.0 * x) * x - padded[:-2] - 2.0 * padded[2:] + 1.0

    return from_residuals(tridiagonal, -np.ones(n), 0.0)


def broyden_banded(n: int = 10) -> SumOfSquares:
    r"""MGH 31 (Broyden banded): each equation couples a variable with five before it and one after it.

    \(x_i(2+5x_i^2) + 1 - \sum_{j \in J_i}x_j(1+x_j)\), \(J_i = \{j \ne i : i-5 \le j \le i+1\}\); 0,
    and 3.05728 for n = 10.

    - `n`: the number of variables.
    """
    _check_dimension(n, 1)
    offset = np.arange(n)[:, None] - np.arange(n)
    band = ((offset <= 5) & (offset >= -1) & (offset != 0)).astype(float)

    def banded(x):
        return x * (2.0 + 5.0 * x**2) + 1.0 - as_like(band, x) @ (x * (1.0 + x))

    return from_residuals(banded, -np.ones(n), 0.0, local=[3.05727843] if n == 10 else [])


def linear_full_rank(n: int = 10, m: int = 20) -> SumOfSquares:
    r"""MGH 32 (linear, full rank): a linear fit.

    \(x_i - s - 1\) for \(i \le n\) and \(-s - 1\) for \(i > n\), \(s = \tfrac2m\sum_j x_j\); \(m - n\) at \(-1\).

    - `n`: the number of variables. `m`: the number of residuals, >= n.
    """
    _check_dimension(n, 1, m)

    def linear(x):
        return jnp.pad(x, (0, m - n)) - 2.0 / m * jnp.sum(x) - 1.0

    return from_residuals(linear, np.ones(n), float(m - n), -np.ones(n))


def linear_rank_1(n: int = 10, m: int = 20) -> SumOfSquares:
    r"""MGH 33 (linear, rank 1): the minimizers form a plane.

    \(i\sum_j jx_j - 1\); \(m(m-1)/(2(2m+1))\) where \(\sum_j jx_j = 3/(2m+1)\).

    - `n`: the number of variables. `m`: the number of residuals, >= n.
    """
    _check_dimension(n, 1, m)
    i, j = np.arange(1.0, m + 1), np.arange(1.0, n + 1)

    def linear(x):
        return as_like(i, x) * jnp.sum(as_like(j, x) * x) - 1.0

    best = j / (j @ j) * 3 / (2 * m + 1)
    return from_residuals(linear, np.ones(n), m * (m - 1) / (2 * (2 * m + 1)), best)


def linear_rank_1_zeros(n: int = 10, m: int = 20) -> SumOfSquares:
    r"""MGH 34 (linear, rank 1 with zero columns and rows): the first and the last variable have no effect.

    \((i-1)\sum_{1<j<n} jx_j - 1\) for \(1 < i < m\), and \(-1\) twice; \((m^2+3m-6)/(2(2m-3))\) where
    \(\sum_{1<j<n} jx_j = 3/(2m-3)\).

    - `n`: the number of variables, >= 3. `m`: the number of residuals, >= n.
    """
    _check_dimension(n, 3, m)
    i, j = np.arange(0.0, m), np.arange(1.0, n + 1)
    i[-1] = 0.0
    j[[0, -1]] = 0.0

    def linear(x):
        return as_like(i, x) * jnp.sum(as_like(j, x) * x) - 1.0

    best = j / (j @ j) * 3 / (2 * m - 3)
    return from_residuals(linear, np.ones(n), (m**2 + 3 * m - 6) / (2 * (2 * m - 3)), best)


def chebyquad(n: int = 8, m: int | None = None) -> SumOfSquares:
    r"""MGH 35 (Chebyquad): the nodes of a quadrature formula with equal weights.

    \(\tfrac1n\sum_jT_i(x_j) - \int_0^1T_i\), \(T_i\) the Chebyshev polynomials moved to [0, 1], \(i \le m\); for m = n
    the minimum is 0 if n is 1 to 7 or 9, 3.51687e-3 for n = 8, 6.50395e-3 for n = 10.

    - `n`: the number of variables. `m`: the number of residuals, >= n; None for n.
    """
    m = n if m is None else m
    _check_dimension(n, 1, m)
    i = np.arange(1, m + 1)
    mean = np.where(i % 2 == 0, -1 / np.where(i == 1, np.inf, i**2 - 1.0), 0.0)

    def nodes(x):
        def next_two(polynomials, _):
            before, now = polynomials
            return (now, 2.0 * y * now - before), jnp.mean(now)

        y = 2.0 * x - 1.0
        return jax.lax.scan(next_two, (jnp.ones_like(x), y), length=m)[1] - as_like(mean, x)

    exact = dict.fromkeys([1, 2, 3, 4, 5, 6, 7, 9], 0.0) | {8: 3.51687372567793e-3, 10: 6.5039548e-3}
    return from_residuals(nodes, np.arange(1.0, n + 1) / (n + 1), exact.get(n, math.nan) if m == n else math.nan)


def _check_dimension(n: int, least: int, most: float = math.inf, *, multiple: int = 1) -> None:
    """Refuses a dimension `n` below `least`, above `most`, or not a multiple of `multiple`."""
    if n % multiple or not least <= n <= most:
        rule = f" and a multiple of {multiple}" if multiple > 1 else ""
        raise ValueError(f"n={n}: give a dimension from {least} to {most}{rule}.")
