"""A Gaussian mixture fitted by EM from ten random starts, with posterior probabilities and samples of the best fit."""

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw

rng = np.random.default_rng(0)
centers = np.array([[0.0, 0.0], [4.0, 0.0], [2.0, 3.0]])
x = centers[rng.integers(0, 3, 600)] + rng.normal(size=(600, 2)) * [1.0, 0.5]

model = tw.GaussianMixture(components=3)
result = tw.minimize(tw.Problem(model, x), restarts=10, stop=tw.GradNorm(1e-3) | tw.Steps(500))
print(result)
print("\nweights", np.round(result.x.weights, 3))
print("means\n", np.round(result.x.means, 2))

between = jnp.asarray([[2.0, 0.0], [2.0, 1.5]])
print("posterior of each component at (2, 0) and (2, 1.5)\n", np.round(model.responsibilities(result.x, between), 3))
print("two draws\n", np.round(model.sample(jax.random.key(0), result.x, 2), 2))
