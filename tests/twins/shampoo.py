"""Shampoo, algorithms 1 and 2 of Gupta, Koren & Singer 2018, with relative epsilon, blocks and grafting."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, b1, b2, eps, graft, every, block_size, stacked):
    """A vector keeps the diagonal only: entry by entry, AdaGrad."""
    xs, m, v = [x0], np.zeros_like(x0), np.zeros_like(x0)
    for t in range(1, steps + 1):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        for i in range(len(x)):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            v[i] = v[i] + g[i] ** 2 if b2 == 1 else b2 * v[i] + (1 - b2) * g[i] ** 2
        mean = v if b2 == 1 else v / (1 - b2**t)
        d = np.asarray([m[i] / (mean[i] + eps * max(mean)) ** 0.5 for i in range(len(x))])
        if graft == "sgd":
            d = d * np.sqrt(sum(m**2) / sum(d**2))
        xs.append(x - learning_rate * d)
    return xs


def tensor(gradient, w, steps, *, learning_rate, b1, b2, eps, every, graft="none"):
    """The path of one tensor of k axes, one block."""
    k, path, m, squares = w.ndim, [w], np.zeros_like(w), np.zeros_like(w)
    factors, roots = [np.zeros((n, n)) for n in w.shape], [None] * k
    for t in range(1, steps + 1):
        g = gradient(path[-1])
        m = b1 * m + (1 - b1) * g
        new, share = (1, 1) if b2 == 1 else (1 - b2, 1 - b2**t)
        squares = b2 * squares + new * g**2
        d = m
        for axis in range(k):
            rows = np.moveaxis(g, axis, 0).reshape(w.shape[axis], -1)
            factors[axis] = b2 * factors[axis] + new * rows @ rows.T
            if (t <= every and t in (1, 2, 4, 8)) or (t - 1) % every == 0:
                roots[axis] = inverse_root(factors[axis] / share, 2 * k, eps)
            d = np.moveaxis(np.tensordot(roots[axis], d, axes=(1, axis)), 0, axis)
        if graft != "none":
            like = m if graft == "sgd" else m / np.sqrt(squares / share + eps * (squares / share).max())
            d = d * np.linalg.norm(like) / np.linalg.norm(d)
        path.append(path[-1] - learning_rate * d)
    return path


def inverse_root(a, p, eps):
    """`(a + eps max(eigenvalue) I)^(-1/p)`."""
    values, vectors = np.linalg.eigh(a)
    values = np.maximum(values, 0) + eps * values.max()
    return sum(s ** (-1 / p) * np.outer(q, q) for s, q in zip(values, vectors.T, strict=True))
