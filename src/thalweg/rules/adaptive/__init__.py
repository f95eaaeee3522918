"""Rules that scale every coordinate by what they have seen of its gradients."""
