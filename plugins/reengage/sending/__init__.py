"""Texts handed to a provider once, and what comes back: receipts, replies, stops."""
