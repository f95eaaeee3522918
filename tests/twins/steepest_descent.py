"""Steepest descent with Armijo's rule (Boyd & Vandenberghe 2004, algorithm 9.3)."""

from tests.twins.searches import backtracking


def run(value_and_grad, x0, steps, *, slope, decrease, max_trials, interpolate):
    """X <- x - s g with the first s = 1, beta, beta^2, ... that lowers the value enough."""
    xs = [x0]
    for _ in range(steps):
        x = xs[-1]
        value, g = value_and_grad(x)

        def phi(t, x=x, d=-g):
            value, grad = value_and_grad(x + t * d)
            return value, grad @ d

        how = {"slope": slope, "decrease": decrease, "max_trials": max_trials, "interpolate": interpolate}
        found = backtracking(phi, (value, -g @ g), **how)
        xs.append(x if found is None else x - found[0] * g)
    return xs
