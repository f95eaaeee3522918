"""Problems 1 to 19 of the collection, which have a fixed number of variables."""

import math

import jax.numpy as jnp
import numpy as np

from thalweg.problems.more_garbow_hillstrom.sums import SumOfSquares, from_residuals
from thalweg.problems.zoo import as_like


def rosenbrock() -> SumOfSquares:
    r"""MGH 1 (Rosenbrock): a curved, flat valley.

    \(10(x_2 - x_1^2),\ 1 - x_1\); 0 at (1, 1).
    """

    def valley(x):
        return jnp.stack([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])

    return from_residuals(valley, [-1.2, 1.0], 0.0, [1.0, 1.0])


def freudenstein_roth() -> SumOfSquares:
    r"""MGH 2 (Freudenstein & Roth): two cubics with a local minimum that is not global.

    \(-13 + x_1 + ((5-x_2)x_2-2)x_2,\ -29 + x_1 + ((x_2+1)x_2-14)x_2\); 0 at (5, 4), 48.98 at (11.41, -0.8968).
    """

    def cubics(x):
        u, v = x[0], x[1]
        return jnp.stack([-13.0 + u + ((5.0 - v) * v - 2.0) * v, -29.0 + u + ((v + 1.0) * v - 14.0) * v])

    return from_residuals(cubics, [0.5, -2.0], 0.0, [5.0, 4.0], [48.98425367924])


def powell_badly_scaled() -> SumOfSquares:
    r"""MGH 3 (Powell, badly scaled): one variable is a million times smaller than the other.

    \(10^4x_1x_2 - 1,\ e^{-x_1} + e^{-x_2} - 1.0001\); 0 at (1.098e-5, 9.106).
    """

    def product_and_exponentials(x):
        return jnp.stack([1e4 * x[0] * x[1] - 1.0, jnp.exp(-x[0]) + jnp.exp(-x[1]) - 1.0001])

    best = [1.0981593296997054e-05, 9.106146739867453]
    return from_residuals(product_and_exponentials, [0.0, 1.0], 0.0, best)


def brown_badly_scaled() -> SumOfSquares:
    r"""MGH 4 (Brown, badly scaled): the entries of the minimizer differ by twelve orders of magnitude.

    \(x_1 - 10^6,\ x_2 - 2\cdot10^{-6},\ x_1x_2 - 2\); 0 at (1e6, 2e-6).
    """

    def scaled(x):
        return jnp.stack([x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2.0])

    return from_residuals(scaled, [1.0, 1.0], 0.0, [1e6, 2e-6])


def beale() -> SumOfSquares:
    r"""MGH 5 (Beale): flat along two valleys.

    \(y_i - x_1(1 - x_2^i)\) for \(i = 1, 2, 3\); 0 at (3, 0.5).
    """
    y = np.array([1.5, 2.25, 2.625])

    def powers(x):
        return as_like(y, x) - x[0] * (1.0 - jnp.stack([x[1], x[1] ** 2, x[1] ** 3]))

    return from_residuals(powers, [1.0, 1.0], 0.0, [3.0, 0.5])


def jennrich_sampson(m: int = 10) -> SumOfSquares:
    r"""MGH 6 (Jennrich & Sampson): two equal exponentials, with large residuals at the minimum.

    \(2 + 2i - (e^{ix_1} + e^{ix_2})\), \(i \le m\); 124.362 at \(x_1 = x_2 = 0.2578\) for m = 10.

    - `m`: the number of residuals, >= 2.
    """
    i = np.arange(1.0, m + 1)

    def exponentials(x):
        at = as_like(i, x)
        return 2.0 + 2.0 * at - (jnp.exp(at * x[0]) + jnp.exp(at * x[1]))

    return from_residuals(exponentials, [0.3, 0.4], 124.362182355615 if m == 10 else math.nan)


def helical_valley() -> SumOfSquares:
    r"""MGH 7 (Fletcher & Powell): a helical valley around an axis.

    \(10(x_3 - 10\theta),\ 10(\sqrt{x_1^2+x_2^2} - 1),\ x_3\) with \(2\pi\theta\) the angle of \((x_1, x_2)\) between
    \(-\pi/2\) and \(3\pi/2\); 0 at (1, 0, 0).
    """

    def helix(x):
        turns = jnp.arctan2(-x[0], x[1]) / (2 * math.pi) + 0.25  # the branch cut is the negative x_2 axis
        return jnp.stack([10.0 * (x[2] - 10.0 * turns), 10.0 * (jnp.sqrt(x[0] ** 2 + x[1] ** 2) - 1.0), x[2]])

    return from_residuals(helix, [-1.0, 0.0, 0.0], 0.0, [1.0, 0.0, 0.0])


def bard() -> SumOfSquares:
    r"""MGH 8 (Bard): a rational fit to 15 points.

    \(y_i - (x_1 + u_i/(v_ix_2 + w_ix_3))\) with \(u_i = i\), \(v_i = 16-i\), \(w_i = \min(u_i, v_i)\); 8.21487e-3, and
    17.4286 where \(x_2\) and \(x_3\) go to \(-\infty\).
    """
    u = np.arange(1.0, 16.0)
    v, w = 16.0 - u, np.minimum(u, 16.0 - u)
    y = np.array([0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39])

    def rational(x):
        return as_like(y, x) - (x[0] + as_like(u, x) / (as_like(v, x) * x[1] + as_like(w, x) * x[2]))

    return from_residuals(rational, np.ones(3), 8.21487730657897e-3, local=[17.42869333])


def gaussian() -> SumOfSquares:
    r"""MGH 9 (Gaussian): a normal density fitted to its rounded values.

    \(x_1e^{-x_2(t_i-x_3)^2/2} - y_i\), \(t_i = (8-i)/2\), \(i \le 15\); 1.12793e-8.
    """
    t = (8.0 - np.arange(1.0, 16.0)) / 2
    half = [0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521]
    y = np.array([*half, 0.3989, *half[::-1]])

    def bell(x):
        return x[0] * jnp.exp(-x[1] * (as_like(t, x) - x[2]) ** 2 / 2) - as_like(y, x)

    return from_residuals(bell, [0.4, 1.0, 0.0], 1.12793276961896e-8)


def meyer() -> SumOfSquares:
    r"""MGH 10 (Meyer): the resistance of a thermistor, one of the hardest fits with three parameters.

    \(x_1e^{x_2/(t_i+x_3)} - y_i\), \(t_i = 45 + 5i\), \(i \le 16\); 87.9458.
    """
    t = 45.0 + 5.0 * np.arange(1.0, 17.0)
    hot = [34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744]
    y = np.array([*hot, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872])

    def thermistor(x):
        return x[0] * jnp.exp(x[1] / (as_like(t, x) + x[2])) - as_like(y, x)

    return from_residuals(thermistor, [0.02, 4000.0, 250.0], 87.9458551706)


def gulf(m: int = 99) -> SumOfSquares:
    r"""MGH 11 (Gulf research and development): a Weibull distribution.

    \(\exp(-|y_i - x_2|^{x_3}/x_1) - t_i\), \(t_i = i/100\), \(y_i = 25 + (-50\ln t_i)^{2/3}\), \(i \le m\) (the minus
    in the power is missing in the print of the paper); 0 at (50, 25, 1.5).

    - `m`: the number of residuals, from 3 to 99.
    """
    t = np.arange(1.0, m + 1) / 100
    y = 25.0 + (-50.0 * np.log(t)) ** (2 / 3)

    def weibull(x):
        return jnp.exp(-(jnp.abs(as_like(y, x) - x[1]) ** x[2]) / x[0]) - as_like(t, x)

    return from_residuals(weibull, [5.0, 2.5, 0.15], 0.0, [50.0, 25.0, 1.5])


def box(m: int = 10) -> SumOfSquares:
    r"""MGH 12 (Box): three exponentials, with isolated minimizers and a line of them.

    \(e^{-t_ix_1} - e^{-t_ix_2} - x_3(e^{-t_i} - e^{-10t_i})\), \(t_i = i/10\), \(i \le m\); 0 at (1, 10, 1), at
    (10, 1, -1) and wherever \(x_1 = x_2\), \(x_3 = 0\).

    - `m`: the number of residuals, >= 3.
    """
    t = np.arange(1.0, m + 1) / 10
    known = np.exp(-t) - np.exp(-10 * t)

    def exponentials(x):
        return jnp.exp(-as_like(t, x) * x[0]) - jnp.exp(-as_like(t, x) * x[1]) - x[2] * as_like(known, x)

    return from_residuals(exponentials, [0.0, 10.0, 20.0], 0.0, [1.0, 10.0, 1.0])


def powell_singular() -> SumOfSquares:
    r"""MGH 13 (Powell, singular): the Hessian at the minimum is singular, so Newton's method converges only linearly.

    \(x_1 + 10x_2,\ \sqrt5(x_3-x_4),\ (x_2-2x_3)^2,\ \sqrt{10}(x_1-x_4)^2\); 0 at 0.
    """

    def singular(x):
        squares = [(x[1] - 2.0 * x[2]) ** 2, math.sqrt(10.0) * (x[0] - x[3]) ** 2]
        return jnp.stack([x[0] + 10.0 * x[1], math.sqrt(5.0) * (x[2] - x[3]), *squares])

    return from_residuals(singular, [3.0, -1.0, 0.0, 1.0], 0.0, np.zeros(4))


def wood() -> SumOfSquares:
    r"""MGH 14 (Wood): two coupled valleys, with a nearly stationary point between the start and the minimum.

    \(10(x_2-x_1^2),\ 1-x_1,\ \sqrt{90}(x_4-x_3^2),\ 1-x_3,\ \sqrt{10}(x_2+x_4-2),\ (x_2-x_4)/\sqrt{10}\); 0 at ones.
    """

    def valleys(x):
        first = [10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]]
        second = [math.sqrt(90.0) * (x[3] - x[2] ** 2), 1.0 - x[2]]
        return jnp.stack([*first, *second, math.sqrt(10.0) * (x[1] + x[3] - 2.0), (x[1] - x[3]) / math.sqrt(10.0)])

    return from_residuals(valleys, [-3.0, -1.0, -3.0, -1.0], 0.0, np.ones(4))


def kowalik_osborne() -> SumOfSquares:
    r"""MGH 15 (Kowalik & Osborne): the kinetics of an enzyme.

    \(y_i - x_1(u_i^2+u_ix_2)/(u_i^2+u_ix_3+x_4)\), \(i \le 11\); 3.07505e-4, and 1.02734e-3 where \(x_1 \to \infty\),
    \(x_2 = -14.07\), \(x_3, x_4 \to -\infty\).
    """
    y = np.array([0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246])
    u = np.array([4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])

    def kinetics(x):
        at = as_like(u, x)
        return as_like(y, x) - x[0] * (at**2 + at * x[1]) / (at**2 + at * x[2] + x[3])

    return from_residuals(kinetics, [0.25, 0.39, 0.415, 0.39], 3.07505603849237e-4, local=[1.0273436e-3])


def brown_dennis(m: int = 20) -> SumOfSquares:
    r"""MGH 16 (Brown & Dennis): quadratic residuals that are large at the minimum.

    \((x_1+t_ix_2-e^{t_i})^2 + (x_3+x_4\sin t_i-\cos t_i)^2\), \(t_i = i/5\), \(i \le m\); 85822.2 for m = 20.

    - `m`: the number of residuals, >= 4.
    """
    t = np.arange(1.0, m + 1) / 5
    exponential, sine, cosine = np.exp(t), np.sin(t), np.cos(t)

    def squares(x):
        rise = x[0] + as_like(t, x) * x[1] - as_like(exponential, x)
        return rise**2 + (x[2] + x[3] * as_like(sine, x) - as_like(cosine, x)) ** 2

    return from_residuals(squares, [25.0, 5.0, -5.0, -1.0], 85822.2016263575 if m == 20 else math.nan)


def osborne_1() -> SumOfSquares:
    r"""MGH 17 (Osborne 1): two exponentials and a constant, fitted to 33 points.

    \(y_i - (x_1 + x_2e^{-t_ix_4} + x_3e^{-t_ix_5})\), \(t_i = 10(i-1)\); 5.46489e-5.
    """
    t = 10.0 * np.arange(33)
    y = np.array(_OSBORNE_1_DATA)

    def decays(x):
        at = as_like(t, x)
        return as_like(y, x) - (x[0] + x[1] * jnp.exp(-at * x[3]) + x[2] * jnp.exp(-at * x[4]))

    return from_residuals(decays, [0.5, 1.5, -1.0, 0.01, 0.02], 5.46489469748264e-5)


def biggs(m: int = 13) -> SumOfSquares:
    r"""MGH 18 (Biggs EXP6): three exponentials fitted to three exponentials.

    \(x_3e^{-t_ix_1} - x_4e^{-t_ix_2} + x_6e^{-t_ix_5} - y_i\), \(y_i = e^{-t_i} - 5e^{-10t_i} + 3e^{-4t_i}\),
    \(t_i = i/10\), \(i \le m\); 0 at (1, 10, 1, 5, 4, 3), and for m = 13 a local minimum 5.65565e-3.

    - `m`: the number of residuals, >= 6.
    """
    t = np.arange(1.0, m + 1) / 10
    y = np.exp(-t) - 5 * np.exp(-10 * t) + 3 * np.exp(-4 * t)

    def exponentials(x):
        at = as_like(t, x)
        return x[2] * jnp.exp(-at * x[0]) - x[3] * jnp.exp(-at * x[1]) + x[5] * jnp.exp(-at * x[4]) - as_like(y, x)

    best = [1.0, 10.0, 1.0, 5.0, 4.0, 3.0]
    return from_residuals(exponentials, [1.0, 2.0, 1.0, 1.0, 1.0, 1.0], 0.0, best, [5.6556499e-3] if m == 13 else [])


def osborne_2() -> SumOfSquares:
    r"""MGH 19 (Osborne 2): an exponential and three Gaussians, fitted to 65 points.

    \(y_i - (x_1e^{-t_ix_5} + x_2e^{-(t_i-x_9)^2x_6} + x_3e^{-(t_i-x_{10})^2x_7} + x_4e^{-(t_i-x_{11})^2x_8})\),
    \(t_i = (i-1)/10\); 4.01377e-2.
    """
    t = np.arange(65) / 10
    y = np.array(_OSBORNE_2_DATA)

    def bells(x):
        at = as_like(t, x)
        bell = x[1:4] * jnp.exp(-((at[:, None] - x[8:]) ** 2) * x[5:8])
        return as_like(y, x) - (x[0] * jnp.exp(-at * x[4]) + jnp.sum(bell, axis=1))

    start = [1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5]
    return from_residuals(bells, start, 4.01377362935478e-2)


_OSBORNE_1_DATA = (
    *(0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751),
    *(0.718, 0.685, 0.658, 0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490),
    *(0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411, 0.406),
)
_OSBORNE_2_DATA = (
    *(1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608),
    *(0.655, 0.616, 0.606, 0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661),
    *(0.612, 0.558, 0.533, 0.495, 0.500, 0.423, 0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428),
    *(0.429, 0.523, 0.562, 0.607, 0.653, 0.672, 0.708, 0.633, 0.668, 0.645, 0.632, 0.591, 0.559),
    *(0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098, 0.054),
)
