"""The coprocessor: from a node's word to tables that hash to block hashes, and from tables to bars."""
