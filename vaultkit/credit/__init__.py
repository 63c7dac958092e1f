"""The path of a credit score: verified history, model, sealed request, attestation, proof, terms on a chain."""
