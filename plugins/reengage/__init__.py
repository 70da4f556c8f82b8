"""Win back customers who have gone quiet: cohorts, decisions, messages, outcomes."""
