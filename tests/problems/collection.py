"""The 35 problems of Moré, Garbow & Hillstrom 1981, doi:10.1145/355934.355936, number by number, as they are printed.

Each function gives the residuals f_1 ... f_m of its number from x_1 ... x_n, counted from one as the paper counts:
`x[0]` is never read. Loops and scalars only, and data of its own: nothing here comes from the library. Complex numbers
pass through, for derivatives by a complex step.
"""

from collections.abc import Callable

import numpy as np

from tests.problems.measurements import BARD, GAUSSIAN, KOWALIK, MEYER, OSBORNE_1, OSBORNE_2

exp, sin, cos, sqrt, log, pi = np.exp, np.sin, np.cos, np.sqrt, np.log, np.pi


def p01(x, n, m):
    return [10 * (x[2] - x[1] ** 2), 1 - x[1]]


def p02(x, n, m):
    return [-13 + x[1] + ((5 - x[2]) * x[2] - 2) * x[2], -29 + x[1] + ((x[2] + 1) * x[2] - 14) * x[2]]


def p03(x, n, m):
    return [10**4 * x[1] * x[2] - 1, exp(-x[1]) + exp(-x[2]) - 1.0001]


def p04(x, n, m):
    return [x[1] - 10**6, x[2] - 2 * 10**-6, x[1] * x[2] - 2]


def p05(x, n, m):
    y = [None, 1.5, 2.25, 2.625]
    return [y[i] - x[1] * (1 - x[2] ** i) for i in range(1, 4)]


def p06(x, n, m):
    return [2 + 2 * i - (exp(i * x[1]) + exp(i * x[2])) for i in range(1, m + 1)]


def p07(x, n, m):
    theta = np.arctan(x[2] / x[1]) / (2 * pi) + (0 if x[1].real > 0 else 0.5)
    return [10 * (x[3] - 10 * theta), 10 * (sqrt(x[1] ** 2 + x[2] ** 2) - 1), x[3]]


def p08(x, n, m):
    f = []
    for i in range(1, m + 1):
        u, v, w = i, 16 - i, min(i, 16 - i)
        f.append(BARD[i - 1] - (x[1] + u / (v * x[2] + w * x[3])))
    return f


def p09(x, n, m):
    f = []
    for i in range(1, m + 1):
        t = (8 - i) / 2
        f.append(x[1] * exp(-x[2] * (t - x[3]) ** 2 / 2) - GAUSSIAN[i - 1])
    return f


def p10(x, n, m):
    return [x[1] * exp(x[2] / (45 + 5 * i + x[3])) - MEYER[i - 1] for i in range(1, m + 1)]


def p11(x, n, m):
    """The paper prints `y_i m i x_2`; the authors' program has `y_i - x_2`, and so does the solution (50, 25, 1.5)."""
    f = []
    for i in range(1, m + 1):
        t = i / 100
        y = 25 + (-50 * log(t)) ** (2 / 3)
        away = y - x[2] if (y - x[2]).real > 0 else x[2] - y
        f.append(exp(-(away ** x[3]) / x[1]) - t)
    return f


def p12(x, n, m):
    f = []
    for i in range(1, m + 1):
        t = 0.1 * i
        f.append(exp(-t * x[1]) - exp(-t * x[2]) - x[3] * (exp(-t) - exp(-10 * t)))
    return f


def p13(x, n, m):
    return [x[1] + 10 * x[2], 5**0.5 * (x[3] - x[4]), (x[2] - 2 * x[3]) ** 2, 10**0.5 * (x[1] - x[4]) ** 2]


def p14(x, n, m):
    f = [10 * (x[2] - x[1] ** 2), 1 - x[1], 90**0.5 * (x[4] - x[3] ** 2), 1 - x[3]]
    return [*f, 10**0.5 * (x[2] + x[4] - 2), 10**-0.5 * (x[2] - x[4])]


def p15(x, n, m):
    f = []
    for y, u in KOWALIK:
        f.append(y - x[1] * (u**2 + u * x[2]) / (u**2 + u * x[3] + x[4]))
    return f


def p16(x, n, m):
    f = []
    for i in range(1, m + 1):
        t = i / 5
        f.append((x[1] + t * x[2] - exp(t)) ** 2 + (x[3] + x[4] * sin(t) - cos(t)) ** 2)
    return f


def p17(x, n, m):
    f = []
    for i in range(1, m + 1):
        t = 10 * (i - 1)
        f.append(OSBORNE_1[i - 1] - (x[1] + x[2] * exp(-t * x[4]) + x[3] * exp(-t * x[5])))
    return f


def p18(x, n, m):
    f = []
    for i in range(1, m + 1):
        t = 0.1 * i
        y = exp(-t) - 5 * exp(-10 * t) + 3 * exp(-4 * t)
        f.append(x[3] * exp(-t * x[1]) - x[4] * exp(-t * x[2]) + x[6] * exp(-t * x[5]) - y)
    return f


def p19(x, n, m):
    f = []
    for i in range(1, m + 1):
        t = (i - 1) / 10
        first = x[1] * exp(-t * x[5]) + x[2] * exp(-((t - x[9]) ** 2) * x[6])
        second = x[3] * exp(-((t - x[10]) ** 2) * x[7]) + x[4] * exp(-((t - x[11]) ** 2) * x[8])
        f.append(OSBORNE_2[i - 1] - (first + second))
    return f


def p20(x, n, m):
    f = []
    for i in range(1, 30):
        t, slope, value = i / 29, 0, 0
        for j in range(2, n + 1):
            slope += (j - 1) * x[j] * t ** (j - 2)
        for j in range(1, n + 1):
            value += x[j] * t ** (j - 1)
        f.append(slope - value**2 - 1)
    return [*f, x[1], x[2] - x[1] ** 2 - 1]


def p21(x, n, m):
    f = []
    for i in range(1, n // 2 + 1):
        f += [10 * (x[2 * i] - x[2 * i - 1] ** 2), 1 - x[2 * i - 1]]
    return f


def p22(x, n, m):
    f = []
    for i in range(1, n // 4 + 1):
        f += [x[4 * i - 3] + 10 * x[4 * i - 2], 5**0.5 * (x[4 * i - 1] - x[4 * i])]
        f += [(x[4 * i - 2] - 2 * x[4 * i - 1]) ** 2, 10**0.5 * (x[4 * i - 3] - x[4 * i]) ** 2]
    return f


def p23(x, n, m):
    f = [(10**-5) ** 0.5 * (x[i] - 1) for i in range(1, n + 1)]
    return [*f, sum(x[j] ** 2 for j in range(1, n + 1)) - 1 / 4]


def p24(x, n, m):
    root, f = (10**-5) ** 0.5, [x[1] - 0.2]
    for i in range(2, n + 1):
        y = exp(i / 10) + exp((i - 1) / 10)
        f.append(root * (exp(x[i] / 10) + exp(x[i - 1] / 10) - y))
    for i in range(n + 1, 2 * n):
        f.append(root * (exp(x[i - n + 1] / 10) - exp(-1 / 10)))
    return [*f, sum((n - j + 1) * x[j] ** 2 for j in range(1, n + 1)) - 1]


def p25(x, n, m):
    f = [x[i] - 1 for i in range(1, n + 1)]
    s = sum(j * (x[j] - 1) for j in range(1, n + 1))
    return [*f, s, s**2]


def p26(x, n, m):
    cosines = sum(cos(x[j]) for j in range(1, n + 1))
    return [n - cosines + i * (1 - cos(x[i])) - sin(x[i]) for i in range(1, n + 1)]


def p27(x, n, m):
    f, product = [], 1
    for i in range(1, n):
        f.append(x[i] + sum(x[j] for j in range(1, n + 1)) - (n + 1))
    for j in range(1, n + 1):
        product *= x[j]
    return [*f, product - 1]


def p28(x, n, m):
    h, f, z = 1 / (n + 1), [], [0, *x[1:], 0]
    for i in range(1, n + 1):
        f.append(2 * z[i] - z[i - 1] - z[i + 1] + h**2 * (z[i] + i * h + 1) ** 3 / 2)
    return f


def p29(x, n, m):
    h, f = 1 / (n + 1), []
    for i in range(1, n + 1):
        t, left, right = i * h, 0, 0
        for j in range(1, i + 1):
            left += j * h * (x[j] + j * h + 1) ** 3
        for j in range(i + 1, n + 1):
            right += (1 - j * h) * (x[j] + j * h + 1) ** 3
        f.append(x[i] + h * ((1 - t) * left + t * right) / 2)
    return f


def p30(x, n, m):
    z = [0, *x[1:], 0]
    return [(3 - 2 * z[i]) * z[i] - z[i - 1] - 2 * z[i + 1] + 1 for i in range(1, n + 1)]


def p31(x, n, m):
    f = []
    for i in range(1, n + 1):
        s = 0
        for j in range(max(1, i - 5), min(n, i + 1) + 1):
            if j != i:
                s += x[j] * (1 + x[j])
        f.append(x[i] * (2 + 5 * x[i] ** 2) + 1 - s)
    return f


def p32(x, n, m):
    s = sum(x[j] for j in range(1, n + 1))
    return [x[i] - 2 / m * s - 1 for i in range(1, n + 1)] + [-2 / m * s - 1 for i in range(n + 1, m + 1)]


def p33(x, n, m):
    return [i * sum(j * x[j] for j in range(1, n + 1)) - 1 for i in range(1, m + 1)]


def p34(x, n, m):
    return [-1, *[(i - 1) * sum(j * x[j] for j in range(2, n)) - 1 for i in range(2, m)], -1]


def p35(x, n, m):
    f = []
    for i in range(1, m + 1):
        mean = 0
        for j in range(1, n + 1):
            y = 2 * x[j] - 1
            before, now = 1, y
            for _ in range(2, i + 1):
                before, now = now, 2 * y * now - before
            mean += now / n
        f.append(mean - (0 if i % 2 else -1 / (i**2 - 1)))
    return f


FORMULAS: tuple[Callable, ...] = (
    *(p01, p02, p03, p04, p05, p06, p07, p08, p09, p10, p11, p12, p13, p14, p15, p16, p17, p18, p19, p20),
    *(p21, p22, p23, p24, p25, p26, p27, p28, p29, p30, p31, p32, p33, p34, p35),
)
SIZES: tuple[tuple[int, int], ...] = (
    *((2, 2), (2, 2), (2, 2), (2, 3), (2, 3), (2, 10), (3, 3), (3, 15), (3, 15), (3, 16), (3, 99), (3, 10)),
    *((4, 4), (4, 6), (4, 11), (4, 20), (5, 33), (6, 13), (11, 65), (6, 31), (10, 10), (12, 12), (10, 11), (10, 20)),
    *((10, 12), (10, 10), (10, 10), (10, 10), (10, 10), (10, 10), (10, 10), (10, 20), (10, 20), (10, 20), (8, 8)),
)
"""Variables and residuals of each problem as the library poses it by default."""


def standard_start(number: int, n: int) -> list[float]:
    """The paper's start."""
    fixed = {
        1: [-1.2, 1],
        2: [0.5, -2],
        3: [0, 1],
        4: [1, 1],
        5: [1, 1],
        6: [0.3, 0.4],
        7: [-1, 0, 0],
        8: [1, 1, 1],
        9: [0.4, 1, 0],
        10: [0.02, 4000, 250],
        11: [5, 2.5, 0.15],
        12: [0, 10, 20],
        13: [3, -1, 0, 1],
        14: [-3, -1, -3, -1],
        15: [0.25, 0.39, 0.415, 0.39],
        16: [25, 5, -5, -1],
        17: [0.5, 1.5, -1, 0.01, 0.02],
        18: [1, 2, 1, 1, 1, 1],
        19: [1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5],
        21: [-1.2, 1] * (n // 2),
        22: [3, -1, 0, 1] * (n // 4),
    }
    rules = {
        20: lambda j: 0,
        23: lambda j: j,
        24: lambda j: 1 / 2,
        25: lambda j: 1 - j / n,
        26: lambda j: 1 / n,
        27: lambda j: 1 / 2,
        28: lambda j: j / (n + 1) * (j / (n + 1) - 1),
        29: lambda j: j / (n + 1) * (j / (n + 1) - 1),
        30: lambda j: -1,
        31: lambda j: -1,
        32: lambda j: 1,
        33: lambda j: 1,
        34: lambda j: 1,
        35: lambda j: j / (n + 1),
    }
    return fixed[number] if number in fixed else [rules[number](j) for j in range(1, n + 1)]


def residuals(number: int, x: np.ndarray, m: int) -> np.ndarray:
    """Those of a problem at `x`, an array that is counted from zero."""
    return np.array(FORMULAS[number - 1]([None, *x], len(x), m))


def gradient(number: int, x: np.ndarray, m: int) -> np.ndarray:
    """Of the sum of squares, by complex steps: exact up to rounding."""
    steps = 1e-100j * np.eye(len(x))
    return np.array([np.sum(residuals(number, x + step, m) ** 2).imag for step in steps]) / 1e-100
