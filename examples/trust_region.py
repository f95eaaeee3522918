"""Leave a saddle point: a start from which no gradient leads to the minima, and the result of two methods."""

import jax.numpy as jnp
import numpy as np

import thalweg as tw


def pass_between_two_valleys(x):
    """A function whose gradient on the line y = 0 leads to the saddle at 0; its minima -1 are at y = +-sqrt(2)."""
    return x[0] ** 2 - x[1] ** 2 + x[1] ** 4 / 4


def main() -> None:
    """Compares L-BFGS, which stops at the saddle, with a trust region, which finds negative curvature and leaves."""
    start = np.array([1.0, 0.0])
    for name, method in {"L-BFGS": tw.LBFGS(), "trust region": tw.TrustRegion()}.items():
        result = tw.minimize(pass_between_two_valleys, start, method)
        print(f"{name:12} {result.value:7.4f} at {np.round(result.x, 4)}  {result.advice[0]}")

    print("\nstep  value     residual   radius  smallest curvature met")
    trace = result.trace
    rows = zip(trace.value, trace.optimality, trace.step_size, trace.extra["curvature"], strict=True)
    for step, (value, optimality, radius, curvature) in enumerate(rows):
        print(f"{step:4}  {value:8.5f}  {optimality:9.2e}  {radius:6.3f}  {curvature:8.3f}")

    n = 200
    valley = tw.minimize(
        lambda x: jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2),
        np.resize([-1.2, 1.0], n),
        tw.TrustRegion(),
    )
    print(f"\nRosenbrock in {n} variables: {valley.steps} steps, {valley.evals.hvp} products with a Hessian of")
    print(f"{n} x {n} entries that is never formed; value {valley.value:.1e}, residual {valley.optimality:.1e}")


if __name__ == "__main__":
    main()
