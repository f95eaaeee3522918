"""Residuals of Moré, Garbow & Hillstrom 1981, doi:10.1145/355934.355936, in NumPy or JAX, with start and minimum.

The minimum is that of the sum of squares, as printed there.
"""

import numpy as np

OSBORNE = np.array(
    [0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751, 0.718, 0.685, 0.658, 0.628, 0.603,
     0.580, 0.558, 0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411,
     0.406]
)  # fmt: skip
MEYER = np.array(
    [34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872], float
)
KOWALIK_Y = np.array([0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246])
KOWALIK_U = np.array([4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])


def rosenbrock(x, xp):
    return xp.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def freudenstein_roth(x, xp):
    u, v = x[0], x[1]
    return xp.stack([-13 + u + ((5 - v) * v - 2) * v, -29 + u + ((v + 1) * v - 14) * v])


def powell_singular(x, xp):
    a, b, c, d = x[0], x[1], x[2], x[3]
    return xp.stack([a + 10 * b, 5**0.5 * (c - d), (b - 2 * c) ** 2, 10**0.5 * (a - d) ** 2])


def kowalik_osborne(x, xp):
    u = xp.asarray(KOWALIK_U, dtype=x.dtype)
    return xp.asarray(KOWALIK_Y, dtype=x.dtype) - x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3])


def meyer(x, xp):
    t = xp.asarray(45 + 5 * np.arange(1.0, 17.0), dtype=x.dtype)
    return x[0] * xp.exp(x[1] / (t + x[2])) - xp.asarray(MEYER, dtype=x.dtype)


def jennrich_sampson(x, xp):
    i = xp.asarray(np.arange(1.0, 11.0), dtype=x.dtype)
    return 2 + 2 * i - (xp.exp(i * x[0]) + xp.exp(i * x[1]))


def osborne(x, xp):
    t = xp.asarray(10 * np.arange(33.0), dtype=x.dtype)
    return xp.asarray(OSBORNE, dtype=x.dtype) - (x[0] + x[1] * xp.exp(-t * x[3]) + x[2] * xp.exp(-t * x[4]))


PROBLEMS = {
    "rosenbrock": (rosenbrock, [-1.2, 1.0], 0.0),
    "freudenstein-roth": (freudenstein_roth, [0.5, -2.0], 48.98425367924),
    "powell-singular": (powell_singular, [3.0, -1.0, 0.0, 1.0], 0.0),
    "kowalik-osborne": (kowalik_osborne, [0.25, 0.39, 0.415, 0.39], 3.0750560384924e-4),
    "meyer": (meyer, [0.02, 4000.0, 250.0], 87.9458551710),
    "jennrich-sampson": (jennrich_sampson, [0.3, 0.4], 124.36218235561),
    "osborne": (osborne, [0.5, 1.5, -1.0, 0.01, 0.02], 5.4648946975e-5),
}
