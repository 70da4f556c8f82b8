"""Phone numbers: in every spelling, as hashes, and the keys of those."""
