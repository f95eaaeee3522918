"""EM for a mixture of normal distributions (Dempster, Laird & Rubin 1977), one example and one component at a time.

Two conventions of the library: `regularization` is added to every variance, which is first raised by 10 d roundings.
"""

import math

import numpy as np


def log_normal(x, mean, covariance):
    d = x - mean
    _, log_det = np.linalg.slogdet(2 * math.pi * covariance)
    return -0.5 * (log_det + d @ np.linalg.solve(covariance, d))


def run(data, weights, means, covariances, steps, *, regularization):
    """The parameters after every step, and the mean log-likelihood before it."""
    n, dimension = data.shape
    components = len(weights)
    params, log_likelihoods = [(weights, means, covariances)], []
    for _ in range(steps):
        r, total = np.zeros((n, components)), 0.0
        for i in range(n):
            logs = [math.log(weights[k]) + log_normal(data[i], means[k], covariances[k]) for k in range(components)]
            peak = max(logs)
            log_sum = peak + math.log(sum(math.exp(one - peak) for one in logs))
            total += log_sum
            r[i] = [math.exp(one - log_sum) for one in logs]
        weights, means, covariances = np.zeros(components), np.zeros_like(means), np.zeros_like(covariances)
        for k in range(components):
            share = sum(r[:, k])
            weights[k] = share / n
            means[k] = sum(r[i, k] * data[i] for i in range(n)) / share
            scatter = sum(r[i, k] * np.outer(data[i] - means[k], data[i] - means[k]) for i in range(n)) / share
            raised = np.diag(scatter) * (1 + 10 * dimension * 2.0**-52) + regularization
            covariances[k] = scatter - np.diag(np.diag(scatter)) + np.diag(raised)
        params.append((weights, means, covariances))
        log_likelihoods.append(total / n)
    return params, log_likelihoods
