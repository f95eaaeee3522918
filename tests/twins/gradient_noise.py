"""Gradient descent with the noise of Neelakantan et al. 2015, section 3, entry by entry."""

import functools

import jax
import numpy as np


@functools.partial(jax.jit, static_argnums=1)
def drawn(t, shape):
    """The normal numbers of step `t`, with the loop's keys."""
    key = jax.random.split(jax.random.fold_in(jax.random.key(0), t))[1]
    return jax.random.normal(jax.random.split(key, 1)[0], shape)


def run(value_and_grad, x0, steps, *, learning_rate, variance, decay):
    """The noise is that of the loop's keys; the rest is the paper's."""
    xs = [x0]
    for t in range(steps):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        xi = np.asarray(drawn(t, x.shape))
        sigma = (variance / (1 + t) ** decay) ** 0.5
        for i in range(len(x)):
            x[i] = x[i] - learning_rate * (g[i] + sigma * xi[i])
        xs.append(x)
    return xs
