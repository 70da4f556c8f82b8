"""Errors for people: what is wrong, where, and what to do.

No message of these holds a phone number, an email address or a secret: contacts are named by id.
"""


class ReengageError(Exception):
    """The base of every error that reengage raises on purpose."""


class ConfigurationError(ReengageError):
    """A setting, the policy or a source file cannot be used as written."""


class SourceError(ReengageError):
    """A source, as a whole, cannot be read: missing, empty, or without the named columns."""


class DayStopped(ReengageError):
    """A check stopped the day before anything was decided or sent."""


class PastDayError(ReengageError):
    """The day asked for lies before what is already loaded or decided: replay it instead."""


class SendRefused(ReengageError):
    """A guard refused to send: the run, its day or its provider is not one that may text people."""


class ProviderError(ReengageError):
    """The provider cannot be used at all: bad key, no credit, wrong address."""


class TextError(ReengageError):
    """No text, or no time, can be made for one contact: hold that contact, go on with the rest."""
