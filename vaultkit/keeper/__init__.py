"""The keeper: sees epochs close, proves every one of them, and submits each at most once."""
