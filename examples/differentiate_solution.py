"""Choose regularization weights by the gradient of the held-out loss with respect to them."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_diabetes

import thalweg as tw

OUTER = tw.GradNorm(1e-3) | tw.Steps(20)
"""The held-out data determine a weight to a few percent only, and as a function of an L1 weight the error has kinks."""


def data() -> tuple[tuple, tuple]:
    """Returns scikit-learn's diabetes data (442 patients) with 20 columns of noise; 200 patients to train on."""
    features, target = load_diabetes(return_X_y=True)
    noise = np.random.default_rng(0).normal(size=(len(features), 20))
    columns = np.hstack([features / features.std(0), noise])
    target = (target - target.mean()) / target.std()
    return (columns[:200], target[:200]), (columns[200:], target[200:])


def error(weights, pair):
    """Returns half the mean squared error."""
    columns, target = pair
    return 0.5 * jnp.mean((columns @ weights - target) ** 2)


def main() -> None:
    """Minimizes the held-out error over the logarithm of a ridge weight and of an L1 weight."""
    train, held_out = data()
    start = jnp.zeros(train[0].shape[1])

    def ridge(log_weight):
        return tw.solution(lambda w: error(w, train) + jnp.exp(log_weight) * jnp.sum(w**2), start)

    def lasso(log_weight):
        problem = tw.Problem(lambda w: error(w, train), nonsmooth=tw.L1(jnp.exp(log_weight)))
        return tw.solution(problem, start, stop=tw.GradNorm(1e-6) | tw.Steps(5000))

    print("held-out error without a penalty", f"{float(error(jax.jit(ridge)(-20.0), held_out)):.4f}\n")
    print("penalty   weight  held-out error  slope there  nonzero  outer steps")
    for name, fit in {"ridge": ridge, "L1": lasso}.items():
        outer = tw.minimize(lambda t, fit=fit: error(fit(t), held_out), jnp.asarray(-3.0), stop=OUTER)
        weights = jax.jit(fit)(outer.x)
        nonzero = int(jnp.sum(weights != 0))
        print(
            f"{name:7} {np.exp(outer.x):8.4f}  {outer.value:14.4f}  {outer.optimality:11.1e}  {nonzero:7}"
            f"  {outer.steps:11}"
        )


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
