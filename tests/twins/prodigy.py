"""Prodigy for Adam, Mishchenko & Defazio 2024, with the correction of the means in the rate."""

import numpy as np


def run(value_and_grad, x0, steps, **hyper):
    """Entry by entry; `r` and `s` are both divided by `d0`, which keeps their sizes apart from 0."""
    gamma, b1, b2, b3, eps = (hyper[name] for name in ("learning_rate", "b1", "b2", "b3", "eps"))
    d0, decay = hyper["d0"], hyper["weight_decay"] if hyper["mask"] is None else 0.0
    b3 = np.sqrt(b2) if b3 is None else b3
    xs, n, d, r = [x0], len(x0), d0, 0.0
    m, v, s = np.zeros_like(x0), np.zeros_like(x0), np.zeros_like(x0)
    for t in range(1, steps + 1):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        eta = d * gamma * np.sqrt(1 - b2**t) / (1 - b1**t)
        r = b3 * r + d * eta / d0 * sum(g[i] * (x0[i] - x[i]) for i in range(n))
        for i in range(n):
            m[i] = b1 * m[i] + (1 - b1) * d * g[i]
            v[i] = b2 * v[i] + (1 - b2) * d**2 * g[i] ** 2
            s[i] = b3 * s[i] + d * (d if hyper["safeguard"] else eta) / d0 * g[i]
        d = max(d, hyper["growth"] * r / sum(abs(entry) for entry in s))
        for i in range(n):
            x[i] = x[i] - eta * m[i] / (np.sqrt(v[i]) + d * eps) - eta * decay * x[i]
        xs.append(x)
    return xs
