"""The local chain and every part of the kit as one session: what notebooks use and the demo runs through."""
