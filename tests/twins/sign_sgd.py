"""signSGD and Signum, from algorithms 1 and 2 of Bernstein et al. 2018."""


def run(value_and_grad, x0, steps, *, learning_rate, beta):
    """The rate may be a schedule."""
    xs, m = [x0], 0 * x0
    for t in range(steps):
        x, rate = xs[-1].copy(), float(learning_rate(t)) if callable(learning_rate) else learning_rate
        _, g = value_and_grad(x)
        for i in range(len(x)):
            m[i] = g[i] if beta is None else beta * m[i] + (1 - beta) * g[i]
            x[i] = x[i] - rate * (1 if m[i] > 0 else -1 if m[i] < 0 else 0)
        xs.append(x)
    return xs
