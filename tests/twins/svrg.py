"""SVRG (Johnson & Zhang 2013, figure 1, option I) with the proximal step of Xiao & Zhang 2014."""

import math


def run(value_and_grad, x0, steps, *, prox, term, draws, step_size, batch_size, inner_steps):
    """`term(i, x)` is the gradient of the i-th of n terms; `draws(t)` the random numbers i of outer step t."""
    xs = [x0]
    for t in range(steps):
        snapshot = xs[-1]
        mean = value_and_grad(snapshot)[1]
        rows = draws(t)
        assert len(rows) == (inner_steps or math.ceil(term.n / batch_size))
        z = snapshot
        for batch in rows:
            v = mean
            for i in batch:
                v = v + (term(i, z) - term(i, snapshot)) / batch_size
            z = prox(z - step_size * v, step_size)
        xs.append(z)
    return xs
