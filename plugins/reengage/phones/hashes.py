"""A number as logs and suppression lists may hold it: hashed with a key."""

import hashlib
import hmac
import re
from dataclasses import dataclass, field


def phone_hash(phone_e164: str, key: str) -> str:
    """HMAC-SHA256 of a number in E.164, in hex: what logs and suppression lists may hold.

    Raises ValueError for a number in another form, whose hash would match no other.
    """
    if not re.fullmatch(r"\+[1-9][0-9]{4,14}", phone_e164):
        raise ValueError("A phone number must be in E.164 (+12125550123) before it is hashed.")
    return hmac.new(key.encode(), phone_e164.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class PhoneKey:
    """A key of the numbers' hashes. prefix: what tells its hashes from those of other keys."""

    secret: str = field(repr=False)
    prefix: str = ""

    def hash(self, phone_e164: str) -> str:
        """The hash of a number in E.164, which says whose it is. Raises ValueError: phone_hash."""
        return self.prefix + phone_hash(phone_e164, self.secret)
