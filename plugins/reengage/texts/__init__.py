"""What is written to whom: texts, their length, names and money in them, coupons."""
