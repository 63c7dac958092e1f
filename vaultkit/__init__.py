"""vaultkit: vault strategies that trade only with verified inference proofs."""
