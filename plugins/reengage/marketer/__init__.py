"""The marketers' page: what was decided for whom, why, and what came of it. It only reads."""
