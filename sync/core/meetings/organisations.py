"""Whose address it is: the organisation behind it, as far as an address tells. Pure. Called by `translate`."""

from __future__ import annotations

# Where anybody can have an address: the same domain does not make two people colleagues there.
PUBLIC_DOMAINS = frozenset(
    {
        "126.com", "163.com", "aol.com", "daum.net", "fastmail.com", "free.fr", "gmail.com", "gmx.at", "gmx.ch",
        "gmx.de", "gmx.net", "googlemail.com", "hey.com", "hotmail.com", "icloud.com", "laposte.net", "libero.it",
        "live.com", "mac.com", "mail.com", "mail.ru", "me.com", "msn.com", "naver.com", "orange.fr", "outlook.com",
        "pm.me", "proton.me", "protonmail.com", "qq.com", "rediffmail.com", "seznam.cz", "t-online.de", "tutanota.com",
        "web.de", "wp.pl", "yahoo.co.jp", "yahoo.co.uk", "yahoo.com", "yahoo.de", "yahoo.fr", "yandex.com", "yandex.ru",
        "ymail.com", "zoho.com",
    }
)  # fmt: skip


def organisation_of(address: str | None) -> str | None:
    """The domain of an e-mail address; None where anybody can have one there, or without an address."""
    domain = (address or "").rpartition("@")[2].strip().lower()
    return domain if domain and domain not in PUBLIC_DOMAINS else None
