"""Sparse logistic regression by SVRG, which converges linearly with a constant step size, unlike SGD."""

import jax.numpy as jnp
import numpy as np

import thalweg as tw


def loss(params, batch):
    """Returns the logistic loss for labels -1 and 1, with a small L2 penalty."""
    features, sign = batch
    margin = sign * (features @ params["w"] + params["b"])
    return jnp.mean(jnp.logaddexp(0.0, -margin)) + 0.005 * jnp.sum(params["w"] ** 2)


def main() -> None:
    """Compares three methods over twenty epochs, then adds an L1 penalty."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(1000, 20)).astype(np.float32)
    truth = np.where(np.arange(20) < 4, rng.normal(size=20), 0.0)
    sign = np.where(rng.uniform(size=1000) < 1 / (1 + np.exp(-features @ truth)), 1.0, -1.0).astype(np.float32)
    start = {"w": np.zeros(20, np.float32), "b": np.zeros((), np.float32)}
    problem = tw.Problem(loss, (features, sign))

    print("after 20 epochs       value      largest entry of the gradient")
    runs = {"SGD": (tw.SGD(0.02), 1), "SVRG": (tw.SVRG(0.02), None), "SVRG, batch 10": (tw.SVRG(0.2, 10), None)}
    for name, (method, batch_size) in runs.items():
        result = tw.minimize(problem, start, method, batch_size=batch_size, stop=tw.Epochs(20))
        value, residual = float(problem.value(result.x)), float(tw.optimality(problem, result.x))
        print(f"{name:16} {value:14.6f}  {residual:12.1e}   ({result.epochs:g} epochs in {result.steps} steps)")

    sparse = tw.Problem(loss, (features, sign), nonsmooth=tw.L1(0.02))
    result = tw.minimize(sparse, start, tw.SVRG(0.2, 10), stop=tw.GradNorm(1e-5) | tw.Epochs(100))
    print(
        f"\nwith an L1 penalty: {np.count_nonzero(result.x['w'])} of 20 weights are not zero; in the truth, 4 are not"
    )
    print(result.message)


if __name__ == "__main__":
    main()
