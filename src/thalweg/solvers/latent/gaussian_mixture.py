"""Mixtures of normal distributions, for EM."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.fields import check_count, check_nonnegative, real_field, static_field
from thalweg.core.objective import LatentModel
from thalweg.core.tree import common_dtype, wide
from thalweg.core.types import Key, Scalar

BLOCK_SIZE = 2**19
"""Numbers in the largest array of a block of examples: 4 MB in float64. See docs/families/latent.md for the timings."""
_INFLATION = 10
"""Roundings for each dimension that every variance is raised by, so that its Cholesky factor exists."""


class Mixture(NamedTuple):
    """The parameters of a mixture.

    - `weights`: shape `(K,)`, with the sum 1. `means`: `(K, d)`. `covariances`: `(K, d, d)`.
    """

    weights: Any
    means: Any
    covariances: Any


class Whitening(NamedTuple):
    r"""A mixture prepared for evaluation: \(|L_k^{-1}(x - m_k)|^2\) is the quadratic form of component k.

    - `factors`: \(L_k\), lower triangular. `maps`: \([L_k^{-1}, -L_k^{-1}(m_k - c)]\), `(K, d, d + 1)`, for
      examples about the common `center` c with a 1 appended.
    - `offsets`: log weight and log normalizing constant.
    """

    center: jax.Array
    factors: jax.Array
    maps: jax.Array
    offsets: jax.Array


class GaussianMixture(LatentModel):
    r"""A mixture of normal distributions with full covariances: \(p(x) = \sum_k \pi_k\,N(x;\, m_k, C_k)\).

    The M step is \(\pi_k = \bar r_k\), \(m_k = \overline{r_k x}/\bar r_k\),
    \(C_k = \overline{r_k (x - m_k)(x - m_k)^\top}/\bar r_k + \varepsilon I\), a bar being the mean over the examples
    and \(r_k\) the posterior probability of component k. Moments are taken about the current means, so that data far
    from the origin lose no digits.

    - `components`: K, a whole number >= 1.
    - `regularization`: \(\varepsilon\) in the square of the data's unit, >= 0; without it a component that holds one
      example makes the likelihood infinite.

    With \(\varepsilon\) the M step is not the exact maximum, and a step may lower the mean log-likelihood: by
    \(\tfrac14(\varepsilon/\lambda)^2\) for each direction of large variance \(\lambda\), never by more than 0.123 for
    each direction. A component to which no example belongs keeps its place, with weight 0.

    Covariances are exact to about the rounding times the distance between clusters over their width: in float32
    clusters that are 1e6 widths apart end the run with NONFINITE.

    Start: means by k-means++, equal weights, the covariance of the data.

    **References** Dempster, Laird & Rubin 1977, doi:10.1111/j.2517-6161.1977.tb01600.x; Arthur & Vassilvitskii 2007,
    "k-means++: the advantages of careful seeding".
    """

    components: int = static_field()
    regularization: float = real_field(1e-6)

    def __check_init__(self):
        check_count(self, "components")
        check_nonnegative(self, "regularization")

    def init(self, key: Key, data: Any) -> Mixture:
        """Means at examples far from each other; all else alike."""
        x = self.enough(self.examples(data))
        dtype = wide(x.dtype) if jnp.issubdtype(x.dtype, jnp.floating) else jnp.result_type(float)
        x = x.astype(dtype)
        center = jnp.mean(x, 0)
        deviations = x - center
        covariance = self.regularized(deviations.T @ deviations / x.shape[0])
        k = self.components
        means = center + _spread_out(key, deviations, k)
        return Mixture(jnp.full(k, 1 / k, dtype), means, jnp.broadcast_to(covariance, (k, *covariance.shape)))

    def log_likelihood(self, params: Mixture, data: Any) -> jax.Array:
        """`log p(x_i)` of every example."""
        return jax.nn.logsumexp(self.log_joint(params, data), 0)

    def responsibilities(self, params: Mixture, data: Any) -> jax.Array:
        """The posterior probability of every component for every example, shape `(n, K)`."""
        return jax.nn.softmax(self.log_joint(params, data), 0).T

    def sample(self, key: Key, params: Mixture, n: int) -> jax.Array:
        """`n` draws, shape `(n, d)`."""
        which, where = jax.random.split(key)
        component = jax.random.choice(which, self.components, (n,), p=params.weights)
        noise = jax.random.normal(where, (n, params.means.shape[1]), params.means.dtype)
        factors = jnp.linalg.cholesky(params.covariances)
        return params.means[component] + jnp.einsum("nij,nj->ni", factors[component], noise)

    def log_joint(self, params: Mixture, data: Any) -> jax.Array:
        """`log pi_k N(x_i; m_k, C_k)`, shape `(K, n)`."""
        white = _whiten(self.checked(params, data))
        return _log_densities(white, _with_ones(self.examples(data), white))[0]

    def expect(self, params: Mixture, data: Any) -> tuple[Scalar, Mixture]:
        """Mean log-likelihood and the weighted moments of each component: its share, mean and covariance."""
        x = self.enough(self.examples(data))
        params = self.checked(params, data)
        white = _whiten(params)
        n, d = x.shape
        rows = min(n, max(1, BLOCK_SIZE // (self.components * (d + 1))))

        def add(i, total):
            first = jnp.minimum(i * rows, n - rows)  # the last block goes back over examples already seen
            fresh = first + jnp.arange(rows) >= i * rows
            block = jax.lax.dynamic_slice_in_dim(x, first, rows)
            return jax.tree.map(jnp.add, total, _block_sums(white, block, fresh))

        zero = jax.tree.map(
            lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(_block_sums, white, x[:rows], jnp.ones(rows, bool))
        )
        total = jax.lax.fori_loop(0, -(-n // rows), add, zero)
        log_likelihood, shares, moments = jax.tree.map(lambda a: a / n, total)
        return log_likelihood, self.statistics(params, white, shares, moments)

    def statistics(self, params: Mixture, white: Whitening, shares: jax.Array, moments: jax.Array) -> Mixture:
        """The moments of each component, from the mean of `r_k y_k [x - c, 1]` with `y_k` the whitened example."""
        moments = white.factors @ moments
        inhabited = shares > jnp.finfo(shares.dtype).tiny ** 0.5
        shares_or_1 = jnp.where(inhabited, shares, 1)[:, None]
        first = moments[:, :, -1] / shares_or_1  # about the current mean
        second = moments[:, :, :-1] / shares_or_1[:, None]
        shift, offset = first, params.means - white.center
        scatter = second - first[:, :, None] * (offset + shift)[:, None, :]
        scatter = (scatter + jnp.swapaxes(scatter, 1, 2)) / 2
        means = params.means + jnp.where(inhabited[:, None], shift, 0)
        covariances = jnp.where(inhabited[:, None, None], scatter, self.plain(params.covariances))
        return Mixture(shares, means, covariances)

    def maximize(self, statistics: Mixture) -> Mixture:
        """The moments are the parameters, but for the regularization."""
        return statistics._replace(covariances=self.regularized(statistics.covariances))

    def regularized(self, covariances: jax.Array) -> jax.Array:
        """Covariances with their diagonals raised, so that a Cholesky factor exists."""
        added = jnp.asarray(self.regularization, covariances.dtype)
        return _on_diagonal(covariances, lambda v: v * (1 + _slack(v)) + added)

    def plain(self, covariances: jax.Array) -> jax.Array:
        """The inverse of `regularized`."""
        added = jnp.asarray(self.regularization, covariances.dtype)
        return _on_diagonal(covariances, lambda v: (v - added) / (1 + _slack(v)))

    def examples(self, data: Any) -> jax.Array:
        """The data as a matrix of examples and features; one sentence where they are something else."""
        if not isinstance(data, (jax.Array, np.ndarray)) or data.ndim != 2 or 0 in data.shape:
            shapes = ", ".join(str(tuple(np.shape(leaf))) for leaf in jax.tree.leaves(data))
            raise ValueError(
                f"GaussianMixture(components={self.components}) needs one array of examples and features, and the "
                f"data have the shape {shapes}: of one feature write X[:, None]."
            )
        if jnp.issubdtype(data.dtype, jnp.complexfloating):
            raise TypeError(f"GaussianMixture needs real data, and they are {data.dtype}.")
        return jnp.asarray(data)

    def enough(self, x: jax.Array) -> jax.Array:
        """The examples, where there are enough to fit the mixture to."""
        if x.shape[0] < self.components:
            raise ValueError(
                f"GaussianMixture(components={self.components}) needs at least as many examples, and there are "
                f"{x.shape[0]}: give fewer components."
            )
        return x

    def checked(self, params: Mixture, data: Any) -> Mixture:
        """The parameters in wide arithmetic; one sentence where their shapes do not fit."""
        k, d = self.components, data.shape[1]
        found = tuple(jnp.shape(leaf) for leaf in jax.tree.leaves(params))
        if found != ((k,), (k, d), (k, d, d)):
            raise ValueError(
                f"GaussianMixture(components={k}) on data with {d} features has parameters of the shapes "
                f"{(k,)}, {(k, d)} and {(k, d, d)}, and x0 has {', '.join(map(str, found))}: give tw.Mixture(weights, "
                "means, covariances), or x0=None."
            )
        dtype = common_dtype(params)
        return Mixture(*(leaf.astype(dtype) for leaf in jax.tree.leaves(params)))


def _slack(covariances: jax.Array) -> float:
    """The relative amount by which variances are raised."""
    return _INFLATION * covariances.shape[-1] * float(jnp.finfo(covariances.dtype).eps)


def _on_diagonal(matrices: jax.Array, change: Any) -> jax.Array:
    """`matrices` with the function `change` applied to their diagonals."""
    return jnp.where(jnp.eye(matrices.shape[-1], dtype=bool), change(matrices), matrices)


def _whiten(params: Mixture) -> Whitening:
    """The mixture prepared for evaluation, about the mean of its means."""
    weights, means, covariances = params
    d = means.shape[1]
    center = jnp.sum(weights[:, None] * means, 0)
    factors = jnp.linalg.cholesky(covariances)
    identity = jnp.broadcast_to(jnp.eye(d, dtype=means.dtype), factors.shape)
    inverse = jax.scipy.linalg.solve_triangular(factors, identity, lower=True)
    maps = jnp.concatenate([inverse, -inverse @ (means - center)[:, :, None]], 2)
    log_root = jnp.sum(jnp.log(jnp.diagonal(factors, axis1=1, axis2=2)), 1)
    return Whitening(center, factors, maps, jnp.log(weights) - log_root - d * math.log(2 * math.pi) / 2)


def _with_ones(x: jax.Array, white: Whitening) -> jax.Array:
    """The examples about the center, with a column of ones."""
    x = x.astype(white.center.dtype) - white.center
    return jnp.concatenate([x, jnp.ones((x.shape[0], 1), x.dtype)], 1)


def _log_densities(white: Whitening, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """`log pi_k N(x_i)`, shape `(K, n)`, and the whitened examples, `(K, d, n)`: examples last, where they are fast."""
    k, d, _ = white.maps.shape
    y = jax.lax.dot_general(white.maps.reshape(k * d, d + 1), x, (((1,), (1,)), ((), ()))).reshape(k, d, -1)
    return white.offsets[:, None] - jnp.sum(y * y, 1) / 2, y


def _block_sums(white: Whitening, x: jax.Array, fresh: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Over the `fresh` examples of a block: the log-likelihood, the responsibilities, and `r_k y_k [x - c, 1]`."""
    x = _with_ones(x, white)
    k, d, _ = white.maps.shape
    logs, y = _log_densities(white, x)
    peak = jnp.max(logs, 0)
    parts = jnp.exp(logs - peak)
    whole = jnp.sum(parts, 0)
    r = parts * jnp.where(fresh, 1 / whole, 0)
    moments = (r[:, None, :] * y).reshape(k * d, -1) @ x
    log_likelihood = jnp.sum(jnp.where(fresh, peak + jnp.log(whole), 0))
    return log_likelihood, jnp.sum(r, 1), moments.reshape(k, d, d + 1)


def _spread_out(key: Key, x: jax.Array, k: int) -> jax.Array:
    """k-means++: every next mean is an example drawn with probability proportional to its squared distance."""
    first, rest = jax.random.split(key)

    def pick(carry, key):
        mean, nearest = carry
        nearest = jnp.minimum(nearest, jnp.sum((x - mean) ** 2, 1))
        heights = jnp.cumsum(nearest)
        height = jax.random.uniform(key, dtype=x.dtype) * heights[-1]
        return (x[jnp.searchsorted(heights, height, side="right").clip(max=x.shape[0] - 1)], nearest), mean

    start = x[jax.random.randint(first, (), 0, x.shape[0])]
    return jax.lax.scan(pick, (start, jnp.full(x.shape[0], jnp.inf, x.dtype)), jax.random.split(rest, k))[1]
