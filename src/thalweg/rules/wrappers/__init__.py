"""Rules around a rule: what they do to its gradients, its updates, its state, or the times at which it acts."""
