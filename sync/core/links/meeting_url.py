"""The join link of an event: which URL among its texts people join by, and which room that is.

Owns the order of sources, finding URLs in plain text and HTML, and turning a recognised one into its canonical form.
Refuses I/O, and guessing: a host nobody vouches for is not a join link. What is a join link is data, in
`core/links/providers`; what hides one, in `core/links/url_unwrap`. Called by `core/meetings/meeting_rules`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from urllib.parse import quote, unquote

from sync.core.links.meeting_link import LinkSources, MeetingLink
from sync.core.links.providers import (
    NOT_JOIN_FILES,
    NOT_JOIN_PAGES,
    PROVIDERS,
    RESERVED_LABELS,
    RESERVED_SEGMENTS,
    Shape,
)
from sync.core.links.url_unwrap import (
    MAX_URL_CHARS,
    TRAILING,
    Url,
    is_redirector_host,
    layers,
    unwrap_any,
    unwrap_redirector,
    web_form,
)

# A dozen times the 8,192 characters Google is reported to allow. Scanning is linear; at its worst (nothing but
# near-miss links, see scripts/bench links) this much text takes under 0.3 s.
MAX_TEXT_CHARS = 100_000

# Entry points of a conference that are looked at; Google makes one of type `video`.
MAX_VIDEOS = 20

# What ends a URL in prose: white space, quotes, brackets, and every non-letter or CJK character beyond Latin ones
# (Chinese text follows a URL without a space).
_STOP = r"\x00-\x20\"'`<>\\^|\[\](){}\x7f-\xa0«»\u2000-\u2bff\u2e80-\uffef\U00010000-\U0010ffff"
# A run of URL characters with a slash in it. The look-behind admits one start per run and the possessive quantifiers
# never give back, so the scan is linear.
_RUN = re.compile(rf"(?<![^{_STOP}])[^/{_STOP}]*+/[^{_STOP}]*+")
# Begins with a set of characters, which the scan skips to: half the time of ignoring case throughout.
_SCHEME = re.compile(r"[hHzZmM](?i:ttps?|oommtg|oomus|steams)://")
# A URL inside another follows one of these; after anything else a new one begins, glued on by a comma or by pasting.
_GLUED = re.compile(r"(?<![=/_])(?=https?://)", re.IGNORECASE)
# Soft hyphens, zero-width and direction marks, variation selectors: pasting leaves them, no URL holds them.
_INVISIBLE = dict.fromkeys(
    (0xAD, 0x61C, 0x180E, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070))
) | dict.fromkeys(range(0xFE00, 0xFE10))
# Only entities closed by `;`: html.unescape alone would turn `&copy=1` in a query into a sign.
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)
_REPEATED_AMP = re.compile(r"&(?:amp;)+")
# RFC 3986 appendix C: line breaks inside <…> are the mailer's, not the URL's.
_FOLDED = re.compile(r"<(https?://[^<>\"' \t]{1,4000})>", re.IGNORECASE)
_SOFT_BREAK = re.compile(r"</?wbr\s*+/?>", re.IGNORECASE)
_ENCODED_SCHEME = re.compile(r"https?(?:%3A|:)%2F%2F", re.IGNORECASE)
# Every character of a canonical URL survives `_STOP`, so finding in a result finds the same.
_SAFE = "/%:@!$&*+,=~-._?"


class _Trust(IntEnum):
    """How far the field a link stands in vouches for it."""

    TEXT = 0  # a description: what people paste
    PLACE = 1  # a location: where people say they meet
    CONFERENCE = 2  # Google itself names it the join link


@dataclass(frozen=True, slots=True)
class _Match:
    provider: str
    url: str
    room_key: str


def find_meeting_link(sources: LinkSources) -> MeetingLink | None:
    """The join link, from the first of these sources that has one, or None.

    1. conferenceData entry points of type `video`: a recognised service first, then any https URL as provider
       `other`, because Google itself names it the join link. Phone, sip and more entry points are never links, nor are
       any beyond the first MAX_VIDEOS.
    2. hangoutLink, 3. location, 4. description (plain or HTML): recognised services only; the first in the text wins.
       On a host of any name only a location is believed: a description may quote any page that looks alike.
    """
    for found_in, found in _attempts(sources):
        if found is not None:
            return MeetingLink(found.provider, found.url, found.room_key, found_in)
    return None


def _attempts(sources: LinkSources) -> Iterator[tuple[str, _Match | None]]:
    """Lazy, so that a description is read only when nothing better was found."""
    videos = [uri for kind, uri in sources.entry_points if kind == "video"][:MAX_VIDEOS]
    yield "conference", _first(_recognise(uri, _Trust.CONFERENCE) for uri in videos)
    yield "conference", _first(_other(uri) for uri in videos)
    yield "hangout_link", _recognise(sources.hangout_link, _Trust.TEXT) if sources.hangout_link else None
    yield "location", _find_in_text(sources.location, _Trust.PLACE)
    yield "description", _find_in_text(sources.description, _Trust.TEXT)


def _first(matches: Iterator[_Match | None]) -> _Match | None:
    return next((match for match in matches if match is not None), None)


# --- finding URLs in text ----------------------------------------------------------------------------------------


def _find_in_text(text: str | None, trust: _Trust) -> _Match | None:
    if not text:
        return None
    if len(text) > MAX_TEXT_CHARS:
        # Back to the end of a word: half a link would be another room's.
        text = text[: max(text.rfind(mark, 0, MAX_TEXT_CHARS) for mark in ' \n<">') + 1]
    found = _scan(_readable(text), trust)
    if found is None and _ENCODED_SCHEME.search(text):
        found = _scan(_readable(unquote(text)), trust)
    return found


def _readable(text: str) -> str:
    """The text with its URLs as a reader would copy them: entities decoded, invisible characters gone."""
    if "&" in text:
        text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), _REPEATED_AMP.sub("&", text))
    if not text.isascii():
        text = text.translate(_INVISIBLE)
    if "\\/" in text:
        text = text.replace("\\/", "/")
    if "<" in text:
        text = _SOFT_BREAK.sub("", text)
        text = _FOLDED.sub(lambda folded: "<" + "".join(folded[1].split()) + ">", text)
    return text


def _scan(text: str, trust: _Trust) -> _Match | None:
    for run in _RUN.finditer(text):
        found = _find_in_run(run[0], trust)
        if found is not None:
            return found
    return None


def _find_in_run(run: str, trust: _Trust) -> _Match | None:
    if "://" not in run:
        return _recognise_bare(run, trust)
    return _first(_find_in_part(part, trust) for part in _GLUED.split(run))


def _find_in_part(part: str, trust: _Trust) -> _Match | None:
    starts = [match.start() for match in _SCHEME.finditer(part)]
    if not starts:
        return _recognise_bare(part, trust)
    if "/" in part[: starts[0]] and (wrapped := _recognise_bare(part, trust)) is not None:
        return wrapped  # A rewriter's link that lost its own scheme: read from the inner one, its ending would stay.
    found = _recognise(part[starts[0] :], trust)
    if found is None and len(starts) > 1:
        # One URL unencoded inside another that is no rewriter: each up to the next, so the work stays linear.
        ends = [*starts[1:], len(part)]
        found = _first(_recognise(part[i:j], trust) for i, j in zip(starts, ends, strict=True))
    return found


def _recognise_bare(run: str, trust: _Trust) -> _Match | None:
    """A link without a scheme, as people type it: only on the host of a service or a rewriter we know."""
    head, _, rest = run.lstrip("/").partition("/")
    if "." not in head or len(head) > MAX_URL_CHARS:
        return None
    host = re.split(r"[^a-z0-9.-]", head.lower())[-1]
    if head[: len(head) - len(host)].endswith("@") or not (_is_known_host(host) or is_redirector_host(host)):
        return None
    return _recognise(f"https://{host}/{rest}", trust)


# --- recognising a URL ---------------------------------------------------------------------------------------------


def _host_index() -> dict[str, list[tuple[str, Shape, _Trust]]]:
    index: dict[str, list[tuple[str, Shape, _Trust]]] = {}
    for provider in PROVIDERS:
        for shape in provider.shapes:
            for host in shape.hosts or provider.hosts:
                index.setdefault(host, []).append((provider.slug, shape, _trust_needed(host, shape)))
    return index


def _trust_needed(host: str, shape: Shape) -> _Trust:
    if shape.conference_only:
        return _Trust.CONFERENCE
    return _Trust.PLACE if host.endswith("*") else _Trust.TEXT


_BY_HOST = _host_index()


def _host_patterns(host: str) -> Iterator[str]:
    """Patterns a host answers to, the most particular first; see `core/links/providers`."""
    yield host
    suffix = host.partition(".")[2]
    while "." in suffix:
        yield "*." + suffix
        suffix = suffix.partition(".")[2]
    if host.count(".") > 1:
        yield host.partition(".")[0] + ".*"


def _is_known_host(host: str) -> bool:
    """On a host of a service, not merely one whose first label sounds like a self-hosted server."""
    patterns = _host_patterns(host) if len(host) < 254 else ()
    return any(pattern in _BY_HOST and not pattern.endswith(".*") for pattern in patterns)


def _recognise(text: str, trust: _Trust) -> _Match | None:
    """The known service `text` leads to, directly or through rewriters."""
    return _first(_classify(url, trust) for url in layers(web_form(text), unwrap_any))


def _classify(url: Url, trust: _Trust) -> _Match | None:
    if url.port is not None:  # No hosted service uses one; a port on a known name is somebody's trick.
        return None
    for pattern in (*_host_patterns(url.host), "*"):
        for slug, shape, needed in _BY_HOST.get(pattern, ()):
            if trust >= needed and (found := _match(slug, shape, url)):
                return found
    return None


def _match(slug: str, shape: Shape, url: Url) -> _Match | None:
    written = re.sub(r"//+", "/", url.path)
    path = written.rstrip("/" + TRAILING) or "/"
    with_fragment = shape.fragment and bool(url.fragment)
    matched = shape.path.fullmatch(f"{path}#{url.fragment}" if with_fragment else path)
    if matched is None or _is_service_page(shape, url.host, *matched.groups("")):
        return None
    kept = _kept_query(shape, url)
    room_values = [kept[name].partition("=")[2] for name in shape.room_params if name in kept]
    if len(room_values) < len(shape.room_params):
        return None
    parts = [_decoded(part) for part in (*matched.groups(), *room_values) if part]
    room = "/".join(parts).lower() if shape.fold_case else "/".join(parts)
    if shape.per_host or shape.tenant:
        room = "/".join(filter(None, (url.host.removeprefix("www."), room)))
    if shape.fold_case:
        path = path.lower()
    query = url.query if "*" in shape.keep else "&".join(kept.values())
    fragment = url.fragment if with_fragment else ""
    return _Match(slug, _canonical(url.host, written if fragment else path, query, fragment), f"{slug}:{room}")


def _is_service_page(shape: Shape, host: str, name: str = "", *_: str) -> bool:
    if shape.tenant and host.partition(".")[0] in RESERVED_LABELS:
        return True
    return (shape.vanity or shape.tenant) and name.partition("/")[0].lower() in RESERVED_SEGMENTS


def _kept_query(shape: Shape, url: Url) -> dict[str, str]:
    """The parameters a join needs, by lower-case name, as written and in the order written; the first of each."""
    kept: dict[str, str] = {}
    for pair in url.query.split("&"):
        name, _, value = pair.partition("=")
        name = name.lower()
        if value and name not in kept and (name in shape.keep or name in shape.room_params or "*" in shape.keep):
            kept[name] = pair
    return kept


def _decoded(part: str) -> str:
    """A room's name without percent-encoding, however often links were rewritten on the way here."""
    for _ in range(3):
        if "%" not in part:
            break
        part = unquote(part)
    return part


def _canonical(host: str, path: str, query: str, fragment: str, port: int | None = None) -> str:
    url = f"https://{host}" + (f":{port}" if port else "") + quote(path, safe=_SAFE)
    url += f"?{quote(query, safe=_SAFE)}" if query else ""
    url += f"#{quote(fragment, safe=_SAFE)}" if fragment else ""
    if url[-1] in TRAILING:  # A passcode may end in one; encoded, no reader takes it for the sentence's.
        url = f"{url[:-1]}%{ord(url[-1]):02x}"
    return url


# --- unknown hosts Google vouches for ------------------------------------------------------------------------------


def _other(text: str) -> _Match | None:
    urls = list(layers(text, unwrap_redirector))
    if not urls:
        return None
    url = urls[-1]
    if url.scheme != "https" or unwrap_redirector(url) is not None or _is_not_join_page(url):
        return None
    canonical = _canonical(url.host, url.path or "/", url.query, url.fragment, url.port)
    return _Match("other", canonical, f"other:{canonical.removeprefix('https://')}")


def _is_not_join_page(url: Url) -> bool:
    path = (url.path or "/").lower()
    if path.endswith(NOT_JOIN_FILES):
        return True
    patterns = set(_host_patterns(url.host))
    return any(host in patterns and path.startswith(start) for host, start in NOT_JOIN_PAGES)
