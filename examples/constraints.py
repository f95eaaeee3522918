"""Constraints of every kind: a design problem, its multipliers, a portfolio on the simplex, and a contradiction."""

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw

jax.config.update("jax_enable_x64", True)


def can():
    """The tin of one litre with the least sheet: radius r and height h in decimetres, a centimetre at least."""

    def area(x):
        return 2 * jnp.pi * (x["r"] ** 2 + x["r"] * x["h"])

    def volume(x):
        return jnp.pi * x["r"] ** 2 * x["h"] - 1.0

    def shelf(x):
        return x["h"] - 1.0  # at most a decimetre high

    problem = tw.Problem(area, equality=volume, inequality=shelf, bounds=tw.Bounds(0.1, 10.0))
    result = tw.minimize(problem, {"r": jnp.asarray(1.0), "h": jnp.asarray(1.0)})
    print(result.reason)
    print(f"radius {float(result.x['r']):.4f} dm, height {float(result.x['h']):.4f} dm, sheet {result.value:.4f} dm^2")
    print(tw.landscape.kkt(problem, result.x))


def portfolio():
    """Least variance for a given return: weights on the simplex."""
    rng = np.random.default_rng(0)
    returns = rng.normal(0.05, 0.2, size=(60, 6)) + 0.1 * rng.normal(size=(60, 1))
    covariance, mean = jnp.asarray(np.cov(returns.T)), jnp.asarray(returns.mean(axis=0))
    safe = tw.Problem(lambda w: 0.5 * w @ covariance @ w, nonsmooth=tw.Simplex())
    paid = tw.Problem(safe.objective, nonsmooth=tw.Simplex(), inequality=lambda w: 0.08 - mean @ w)
    print()
    for name, problem in (("least variance", safe), ("and 8 % return", paid)):
        result = tw.minimize(problem, np.full(6, 1 / 6))
        print(f"{name}: {np.round(result.x, 3)}, return {float(mean @ result.x):.3f}, {type(result.method).__name__}")


def contradiction():
    """What the library says where nothing can be done."""
    problem = tw.Problem(lambda x: x @ x, equality=lambda x: x[0] - 1.0, inequality=lambda x: x[0] + 1.0)
    print()
    result = tw.minimize(problem, np.zeros(2), on_failure="ignore")
    print(f"{result.status.name}: {result.message}")


if __name__ == "__main__":
    can()
    portfolio()
    contradiction()
