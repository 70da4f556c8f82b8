"""Who is due on a day, why or why not, and whether the day may go out."""
