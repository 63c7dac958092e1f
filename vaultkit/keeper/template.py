"""What ``vaultkit keeper init`` writes: every setting with its default."""

from __future__ import annotations

from typing import Final

TEMPLATE: Final = """\
# Configuration of `vaultkit keeper`. Check it with `vaultkit keeper doctor --config THIS`,
# start with `vaultkit keeper run --config THIS`. Commented values are the defaults.

[chain]
rpcs = ["http://127.0.0.1:8545"]   # where `vaultkit market run --port 8545` listens; several of different operators
                                   # are believed only where they agree
# quorum = 1                       # endpoints that must agree; more than half where left out
# chain_id = 31337                 # any other chain is refused
# block_seconds = 12.0             # an alarm is raised after three without a block
# poll_seconds = 0.5
# timeout_seconds = 5.0

[account]                          # exactly one of keystore, ape and remote
keystore = "keeper.json"           # made by `vaultkit keeper init-key`
# ape = "alias"                    # made by `ape accounts generate alias`
# remote = "http://127.0.0.1:9000" # a service that answers eth_signTransaction
# address = "0x..."                # the remote signer's account
# passphrase_file = "passphrase"   # else VAULTKIT_PASSPHRASE, else a prompt

[[vault]]                          # one table for every vault
book = "book.json"                 # written by `vaultkit deploy`; build/devnet/book.json for a local market
# artefact = "folder"              # the book's where left out
# beneficiary = "0x..."            # bound into proofs; the sending account where left out
# store = "data/local"             # an index that every window must agree with; kept up by the keeper

[limits]
# confirmations = 2
# bump_blocks = 4                  # blocks without a receipt before fees rise by a tenth
# bumps = 6
# proofs = 2                       # proofs started for an epoch before it is given up
# proof_seconds = 120.0
# tip_gwei = 1.0
# fee_cap_gwei = 200.0             # above it the epoch is missed as gas_above_budget
# gas_budget_ether_a_day = 0.0     # zero: no limit
# reverts_a_day = 3                # then the keeper halts
# low_balance_transactions = 20

[private]
# endpoints = []                   # trades go to these alone
# fallback = "none"                # "public": publish after patience_blocks; cancellations are always public
# patience_blocks = 6

[prover]
# provider = "local"               # "command": an external ezkl, as one built for GPUs; "ray": a cluster
# workers = 1                      # proofs made at the same time
# command = ["ezkl"]
# gpu = true                       # whether the command needs a GPU and its backend
# backend = "icicle"               # folder of the ICICLE backend; from the environment where left out
# address = "auto"                 # of the Ray cluster; one on this machine alone where left out
# cpus = 1.0                       # processors that a proof on the cluster asks for

[inference]
# device = "auto"                  # "cpu", "cuda", "cuda:1", "none"; auto: a GPU where there is one

[operation]
# folder = "keeper"                # journals, logs and status.json; build/keeper of the project where left out
# port = 9464                      # /health, /status and /metrics on loopback
# webhooks = []                    # alarms are posted as JSON

[economics]
# reward_wei = 0                   # what an accepted epoch earns you by agreement, beside the vault's own reward
# machine_wei_an_hour = 0
"""
