"""The public web service: short links, their landing pages, and the press that opts out."""

from reengage.web.app import create_app

__all__ = ["create_app"]
