"""Schedule-Free SGD (Defazio et al. 2024, algorithm 1, with the weights of its section 4.4 for a constant rate)."""


def run(value_and_grad, x0, steps, *, learning_rate, beta, power):
    """Three sequences; equal weights because the rate is constant."""
    xs, z, total = [x0], x0, 0.0
    for _ in range(steps):
        x = xs[-1]
        y = (1 - beta) * z + beta * x
        _, g = value_and_grad(y)
        z = z - learning_rate * g
        weight = learning_rate**power
        total += weight
        c = weight / total
        xs.append((1 - c) * x + c * z)
    return xs
