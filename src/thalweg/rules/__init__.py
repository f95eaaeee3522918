"""Update rules: gradient to update."""
