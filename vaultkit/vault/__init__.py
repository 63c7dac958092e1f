"""Contracts: compiled and deployed through Ape, called through `vaultkit.chain`; the only importer of ape."""
