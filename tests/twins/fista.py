"""FISTA with backtracking (Beck & Teboulle 2009, section 4) and restart by the gradient (O'Donoghue & Candes 2015).

Two conventions of the library: the test of a step allows for ten roundings of the value, and after a restart the step
may grow.
"""

import math


def run(value_and_grad, x0, steps, *, prox, step_size, decrease, growth, max_trials):
    """`prox(x, s)` is the proximal step of size s."""
    xs, z, t, s = [x0], x0, 1.0, step_size
    for _ in range(steps):
        f, g = value_and_grad(z)
        for _ in range(max_trials):
            x = prox(z - s * g, s)
            d = x - z
            if value_and_grad(x)[0] <= f + g @ d + d @ d / (2 * s) + 10 * 2.0**-52 * abs(f):
                break
            s *= decrease
        if (z - x) @ (x - xs[-1]) > 0:
            z, t, s = x, 1.0, growth * s
        else:
            t_next = (1 + math.sqrt(1 + 4 * t**2)) / 2
            z, t = x + (t - 1) / t_next * (x - xs[-1]), t_next
        xs.append(x)
    return xs
