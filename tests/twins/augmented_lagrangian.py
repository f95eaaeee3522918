"""Augmented Lagrangian (Nocedal & Wright 2006, algorithm 17.4) with inequalities as in Rockafellar 1973, around L-BFGS.

Convention of the library: the pairs of L-BFGS outlive a change of the multipliers, and an update happens in the step
whose first point solves the subproblem; the step itself is still made.
"""

import numpy as np

from tests.twins.lbfgs import direction
from tests.twins.searches import strong_wolfe


def run(
    value_and_grad,
    x0,
    steps,
    *,
    constraints,
    penalty,
    growth,
    inner_steps,
    memory,
    slope,
    curvature,
    max_trials,
):
    """`constraints(x)` is `(h, c, J_h, J_c)`, bounds among `c`."""
    h, c, _, _ = constraints(x0)
    lam, mu, rho = np.zeros(h.size), np.zeros(c.size), penalty
    omega, eta, made = 1 / rho, rho**-0.1, 0

    def augmented(x, lam, mu, rho):
        f, g = value_and_grad(x)
        h, c, jh, jc = constraints(x)
        wall = np.maximum(0, mu + rho * c)
        value = f + lam @ h + rho / 2 * h @ h + (wall @ wall - mu @ mu) / (2 * rho)
        return value, g + jh.T @ (lam + rho * h) + jc.T @ wall

    xs, pairs = [x0], []
    for _ in range(steps):
        x = xs[-1]
        value, g = augmented(x, lam, mu, rho)
        d = direction(g, pairs)

        def phi(t, x=x, d=d, fixed=(lam, mu, rho)):
            value, grad = augmented(x + t * d, *fixed)
            return value, grad @ d, grad

        found = strong_wolfe(phi, (value, g @ d), slope=slope, curvature=curvature, max_trials=max_trials)
        assert found is not None, "none of these runs comes to a standstill"
        step, (_, _, grad) = found
        s, y = step * d, grad - g
        if s @ y > 2.0**-52 * np.abs(s).max() * np.abs(y).max():
            pairs = [*pairs, (s, y)][-memory:]
        xs.append(x + s)
        made += 1
        if h.size + c.size and (np.abs(g).max() <= omega or made == inner_steps):
            h, c, _, _ = constraints(x)
            if max(np.abs(h).max(initial=0), np.abs(np.maximum(c, -mu / rho)).max(initial=0)) <= eta:
                lam, mu = lam + rho * h, np.maximum(0, mu + rho * c)
                omega, eta = omega / rho, eta / rho**0.9
            else:
                rho *= growth
                omega, eta = 1 / rho, rho**-0.1
            made = 0
    return xs
