"""Why a run ended as it did: findings, messages, violated constraints, cautions before a run."""
