"""Update rules: each maps a gradient and its own state to an update of the parameters."""
