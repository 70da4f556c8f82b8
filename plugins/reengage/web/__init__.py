"""The public web service: short links, their landing pages, and the press that opts out."""
