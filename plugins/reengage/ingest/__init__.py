"""From what the CRM, the shop and the cards say to contacts and what they did: raw and core."""
