"""Wrappers: rules around a rule that change its gradients, its updates, its state, or when it acts."""
