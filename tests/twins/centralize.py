"""Gradient centralization, equation 1 of Yong et al. 2020: of one vector there is nothing to centralize."""

from tests.twins import sgd


def run(value_and_grad, x0, steps, *, learning_rate, outputs):
    """Gradient descent, then."""
    return sgd.run(value_and_grad, x0, steps, learning_rate=learning_rate)
