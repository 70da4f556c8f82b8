"""The audit against a full recompute, and what old rows give up."""
