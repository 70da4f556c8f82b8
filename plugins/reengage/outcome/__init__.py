"""What became of each episode, and what the messages caused."""
