"""Gradient descent on a wide copy, as Micikevicius et al. 2018 draw it in figure 1; of wide numbers it is the copy."""


def run(value_and_grad, x0, steps, *, learning_rate):
    """Entry by entry; float64 stands for both the weights and their copy."""
    xs, master = [x0], x0.copy()
    for _ in range(steps):
        _, g = value_and_grad(xs[-1])
        for i in range(len(master)):
            master[i] = master[i] - learning_rate * g[i]
        xs.append(master.copy())
    return xs
