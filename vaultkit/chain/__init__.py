"""The chain: endpoint, contracts, local network, headers and receipts. The only floor that speaks to a node."""
