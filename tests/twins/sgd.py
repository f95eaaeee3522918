"""Gradient descent, from its formula (Robbins & Monro 1951)."""


def run(value_and_grad, x0, steps, *, learning_rate):
    """X <- x - eta g."""
    xs = [x0]
    for _ in range(steps):
        _, g = value_and_grad(xs[-1])
        xs.append(xs[-1] - learning_rate * g)
    return xs
