"""Past days, replayed: nothing is sent."""
