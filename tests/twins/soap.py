"""SOAP, algorithm 3 of Vyas et al. 2024, with what their code does at the first step and at a refresh."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, b1, b2, eps, weight_decay, every, max_size, stacked):
    """A vector has no factors: AdamW, one step late."""
    xs, m, v = [x0, x0 + 0.0], np.zeros_like(x0), np.zeros_like(x0)
    for t in range(1, steps):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        for i in range(len(x)):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            v[i] = b2 * v[i] + (1 - b2) * g[i] ** 2
            adam = m[i] / (1 - b1**t) / (np.sqrt(v[i] / (1 - b2**t)) + eps)
            x[i] = x[i] - learning_rate * (adam + weight_decay * x[i])
        xs.append(x)
    return xs


def tensor(gradient, w, steps, *, learning_rate, b1, b2, eps, weight_decay, every, max_size=10000):
    """The path of one tensor."""
    path, m, v = [w], np.zeros_like(w), np.zeros_like(w)
    long = [n > max_size for n in w.shape]
    factors = [np.zeros((n, n)) for n in w.shape]
    bases = [np.eye(n) for n in w.shape]
    for t in range(steps):
        w = path[-1]
        g = gradient(w)
        if t > 0:
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * turned(g, bases) ** 2
            adam = turned(m, bases) / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)
            w = w - learning_rate * (turned(adam, [q.T for q in bases]) + weight_decay * w)
        for axis in range(w.ndim):
            rows = np.moveaxis(g, axis, 0).reshape(w.shape[axis], -1)
            factors[axis] = b2 * factors[axis] + (1 - b2) * rows @ rows.T
            if long[axis]:
                continue
            if t == 0:
                bases[axis] = np.linalg.eigh(factors[axis])[1][:, ::-1]
            elif t % every == 0:
                product = factors[axis] @ bases[axis]
                by = np.argsort([-bases[axis][:, i] @ product[:, i] for i in range(len(product))])
                bases[axis] = np.linalg.qr(product[:, by])[0]
                v = np.take(v, by, axis=axis)
        path.append(w)
    return path


def turned(g, bases):
    """`Q'` along every axis."""
    for axis, q in enumerate(bases):
        g = np.moveaxis(np.tensordot(q.T, g, axes=(1, axis)), 0, axis)
    return g
