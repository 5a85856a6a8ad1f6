"""Strict URL parsing, and the targets hidden in rewritten links: mail scanners, click trackers, redirect pages.

Owns what a safe http(s) URL is, and how each rewriter hides the original. Refuses any network access: a rewriter
that keeps the original on its server (Mimecast without `url=`) stays unresolved. Called by `core/links/meeting_url`.
Formats: Proofpoint's published decoder (v1, v2, v3); Microsoft Safe Links; Barracuda campus doc 49055519; Sophos
Central "Time of Click" (`u=` is base64); Cisco `secure-web.cisco.com/<token>/<encoded url>`; Trend Micro clicktime;
Check Point (formerly Avanan) click-time protection v2, announced 2022-07-28 on blog.checkpoint.com.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

# Mail passes two or three scanners at most; the fourth layer is courtesy, beyond it is hostility.
MAX_UNWRAPS = 4
# A Teams link inside two scanners' rewrites measures about 2,500; browsers and Safe Links stop near 8,000.
MAX_URL_CHARS = 8_000

TRAILING = ".,;:!?*"

_REPEATED_AMP = re.compile(r"&(?:amp;)+")
# Proxies on the way collapse the two slashes of a URL that stands in another's path.
_HTTP = re.compile(r"(https?):/(?!/)|https?://", re.IGNORECASE)
# Schemes that open a service's app; what follows is a web address all the same.
_APP = re.compile(r"(?:zoommtg|zoomus|msteams)://", re.IGNORECASE)
_ENCODED_SEGMENT = re.compile(r"/(https?(?::|%3A)%2F%2F[^/]*)", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9][a-z0-9.-]{2,251}[a-z0-9]")
_NUMERIC_LABEL = re.compile(r"\d+|0x[0-9a-f]*")
# Endings that no public name has: reserved (RFC 6761, 6762, 8375, ICANN's .internal), Kubernetes' and other clusters'
# own, and those that home and office routers hand out. They resolve only inside somebody's network.
_PRIVATE_SUFFIXES = (
    *(".local", ".localhost", ".localdomain", ".internal", ".intranet", ".private", ".home.arpa", ".onion", ".invalid"),
    *(".svc", ".pod", ".cluster", ".default", ".kube-system", ".k8s", ".consul", ".docker", ".mesh"),
    *(".lan", ".home", ".corp", ".priv", ".workgroup", ".domain", ".router", ".fritz.box"),
)
# Public zones whose names stand for whatever address is written into them, or for loopback.
_ADDRESS_ZONES = (
    *(".nip.io", ".sslip.io", ".xip.io", ".xip.name", ".traefik.me", ".backname.io", ".local-ip.co", ".local-ip.sh"),
    *(".localtest.me", ".lvh.me", ".vcap.me", ".lacolhost.com", ".localho.st", ".fuf.me", ".loopback.link"),
    *(".plex.direct", ".rbndr.us", ".1u.ms"),
)
_INNER_ENDINGS = _PRIVATE_SUFFIXES + _ADDRESS_ZONES
# Four numbers in a host's name, as zones of other names write addresses too: 10.0.0.1.x, app-192-168-1-9.x.
_EMBEDDED_IPV4 = re.compile(r"(?<!\d)(\d{1,3})[.-](\d{1,3})[.-](\d{1,3})[.-](\d{1,3})(?!\d)")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Url:
    """An http(s) URL of a public-looking host name: lower-case ASCII host, everything after it as written."""

    scheme: str
    host: str
    port: int | None
    path: str
    query: str
    fragment: str

    @property
    def tail(self) -> str:
        """Everything after the host, for rewriters that put a raw URL into their own."""
        return self.path + (f"?{self.query}" if self.query else "") + (f"#{self.fragment}" if self.fragment else "")

    def params(self) -> Iterator[tuple[str, str]]:
        """Query parameters as written, not decoded: names in lower case, values raw."""
        for pair in self.query.split("&"):
            name, _, value = pair.partition("=")
            if value:
                yield name.lower(), value

    def param(self, wanted: str) -> str:
        return next((value for name, value in self.params() if name == wanted), "")


def parse_url(text: str) -> Url | None:
    """The URL, or None when it is not one a person should be sent to.

    Refused: other schemes; userinfo and backslashes, which exist in invitations only to disguise the host; addresses
    in numbers, names of private networks and names that stand for such an address, so that a stored link cannot point a
    bot inward; overlong text.
    """
    if len(text) > MAX_URL_CHARS or "\\" in text or not text.isprintable():
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or "@" in parts.netloc:
        return None
    host = _ascii_host(parts.hostname or "")
    if host is None:
        return None
    port = None if port == _DEFAULT_PORTS[parts.scheme] else port
    return Url(parts.scheme, host, port, parts.path, parts.query, parts.fragment)


def _ascii_host(host: str) -> str | None:
    if not host.isascii():
        try:
            # Folds full-width letters and dots as browsers do; look-alike scripts become xn-- and match nothing.
            host = host[:253].encode("idna").decode("ascii").lower()
        except UnicodeError:
            return None
    host = host.removesuffix(".")
    last_label = host.rpartition(".")[2]
    if not _HOST.fullmatch(host) or "." not in host or ".." in host:
        return None
    if _NUMERIC_LABEL.fullmatch(last_label) or f".{host}".endswith(_INNER_ENDINGS) or _names_inner_address(host):
        return None
    return host


def _names_inner_address(host: str) -> bool:
    """An address of no public network is written into the name. Every four neighbours count: 1.10.0.0.1.x holds one."""
    for start in re.finditer(r"(?<!\d)(?=\d)", host):
        found = _EMBEDDED_IPV4.match(host, start.start())
        numbers = [int(part) for part in found.groups()] if found else [256]
        if max(numbers) < 256 and not ipaddress.IPv4Address(bytes(numbers)).is_global:
            return True
    return False


# --- rewriters whose hosts and formats are known -----------------------------------------------------------------


def _from_param(*names: str) -> Callable[[Url], str | None]:
    def target(url: Url) -> str | None:
        return next((unquote(value) for name in names if (value := url.param(name))), None)

    return target


def _from_sophos(url: Url) -> str | None:
    return _decode_base64(unquote(url.param("u")))


def _from_last_param(last: str) -> Callable[[Url], str | None]:
    """For a rewriter that puts the address last, at times unencoded, so that its own `&` follows."""

    def target(url: Url) -> str | None:
        raw = f"&{url.query}".partition(f"&{last}=")[2]
        return raw if _HTTP.match(raw) else unquote(raw.partition("&")[0])

    return target


def _from_cisco(url: Url) -> str | None:
    start = re.search(r"/https?(?::|%3A)(?:/|%2F)", url.tail, re.IGNORECASE)
    if start is None:
        return None
    raw = url.tail[start.start() + 1 :]
    return raw if _HTTP.match(raw) else unquote(raw)


def _from_check_point(url: Url) -> str | None:
    """`/v2/[rNN/]___<url>___.<signature>`. The signature is base64 of plain text, which never holds `___`; the URL
    may end in `_`, so its end is the last mark."""
    body = url.tail.partition("/___")[2]
    end = body.rfind("___.")
    return body[:end] if end >= 0 else body.removesuffix("___")


def _from_segment(url: Url) -> str | None:
    """Click trackers on hosts of any name: the whole URL, encoded, as one segment of the path."""
    found = _ENCODED_SEGMENT.search(url.path)
    return unquote(found[1]) if found else None


def _from_zoom_join(url: Url) -> str | None:
    """`/join?confno=<number>`, the form Zoom's app is opened with, as the link people are sent."""
    if url.path.rstrip("/") != "/join" or not (number := url.param("confno")):
        return None
    kept = "&".join(f"{name}={value}" for name in ("pwd", "tk") if (value := url.param(name)))
    return f"https://{url.host}/j/{number}" + (f"?{kept}" if kept else "")


def _from_meet_short_link(url: Url) -> str | None:
    """`g.co/meet/<code or nickname>`; Meet looks nicknames up."""
    name = url.path.removeprefix("/meet/").rstrip("/")
    return name and "https://meet.google.com/" + (name if _MEET_CODE.fullmatch(name) else f"lookup/{name}")


def _from_teams_page(url: Url) -> str | None:
    return _from_teams_coords(url) if url.path.startswith("/light-meetings/launch") else _from_teams_route(url)


def _from_teams_coords(url: Url) -> str | None:
    """The page Teams joins guests on names the meeting in `coords=`, base64 of JSON: a thread, or a code with its
    passcode."""
    try:
        coords = json.loads(_decode_base64(unquote(url.param("coords"))) or "null")
    except (ValueError, RecursionError):
        return None
    if not isinstance(coords, dict):
        return None
    values = {name: quote(value, safe="", errors="replace") for name, value in coords.items() if isinstance(value, str)}
    if code := values.get("meetingCode"):
        passcode = values.get("passcode") or url.param("p")
        return f"https://{url.host}/meet/{code}" + (f"?p={passcode}" if passcode else "")
    if not (thread := values.get("conversationId")):
        return None
    ids = ",".join(f'"{key}":"{values[name]}"' for key, name in _TEAMS_CONTEXT if values.get(name))
    context = f"?context={quote(f'{{{ids}}}', safe='%')}" if ids else ""
    return f"https://{url.host}/l/meetup-join/{thread}/{values.get('messageId') or 0}{context}"


def _from_teams_route(url: Url) -> str | None:
    """Teams' own pages carry the join link as a route after `#`, or that whole route in `url=`."""
    route = url.fragment or unquote(url.param("url")).partition("#")[2]
    return f"https://{url.host}{route}" if route.startswith(("/l/meetup-join/", "/meet/")) else None


def _from_proofpoint(url: Url) -> str | None:
    if url.path.startswith("/v2/"):
        return unquote(url.param("u").translate(str.maketrans("-_", "%/")))
    if url.path.startswith("/v3/"):
        return _from_proofpoint_v3(url.tail)
    return unquote(url.param("u")) or None


_MEET_CODE = re.compile(r"[a-z]{3}-[a-z]{4}-[a-z]{3}", re.IGNORECASE)
_TEAMS_CONTEXT = (("Tid", "tenantId"), ("Oid", "organizerId"))
_V3_REPLACED = re.compile(r"\*(?:\*(.))?", re.DOTALL)
_V3_RUN_LENGTHS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _from_proofpoint_v3(tail: str) -> str | None:
    """`/v3/__<url>__;<base64>!!…`: each `*` stands for one decoded character, `**<c>` for a run of two and more."""
    body, found, rest = tail.removeprefix("/v3/__").rpartition("__;")
    if not found:
        return None
    replaced = _decode_base64(rest.partition("!")[0]) or ""
    position = 0

    def restore(match: re.Match[str]) -> str:
        nonlocal position
        run = 1 if match[1] is None else _V3_RUN_LENGTHS.find(match[1]) + 2
        position += run
        return replaced[position - run : position]

    return _V3_REPLACED.sub(restore, body)


def _decode_base64(text: str) -> str | None:
    """Of either alphabet, padded or not."""
    text = text.rstrip("=").replace("+", "-").replace("/", "_")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        return None


# Host (subdomains included): start of the path, decoder.
_REDIRECTORS: dict[str, tuple[str, Callable[[Url], str | None]]] = {
    "safelinks.protection.outlook.com": ("/", _from_param("url")),
    "safelinks.protection.office365.us": ("/", _from_param("url")),
    "statics.teams.cdn.office.net": ("/evergreen-assets/safelinks", _from_param("url")),
    "google.com": ("/url", _from_param("q", "url")),
    "urldefense.proofpoint.com": ("/", _from_proofpoint),
    "urldefense.com": ("/", _from_proofpoint),
    "urldefense.us": ("/", _from_proofpoint),
    "checkpoint.com": ("/v2/", _from_check_point),
    "avanan.click": ("/v2/", _from_check_point),
    "linkprotect.cudasvc.com": ("/", _from_param("a")),
    "fireeye.com": ("/v1/url", _from_param("u")),
    "clicktime.symantec.com": ("/", _from_last_param("u")),
    "esvalabs.com": ("/", _from_param("u")),
    "atpscan.global.hornetsecurity.com": ("/", _from_param("u")),
    "secure-web.cisco.com": ("/", _from_cisco),
    "protection.sophos.com": ("/", _from_sophos),
    "trendmicro.com": ("/wis/clicktime", _from_param("url")),
    "mimecast.com": ("/", _from_param("url")),
    "mimecastprotect.com": ("/", _from_param("url")),
    "awstrack.me": ("/", _from_segment),
    "youtube.com": ("/redirect", _from_param("q")),
    "slack-redir.net": ("/link", _from_param("url")),
    "facebook.com": ("/l.php", _from_param("u")),
    "messenger.com": ("/l.php", _from_param("u")),
    "instagram.com": ("/", _from_param("u")),
    "linkedin.com": ("/redir", _from_param("url")),
    "teams.microsoft.com": ("/", _from_teams_page),
    "teams.microsoft.us": ("/", _from_teams_page),
    "teams.cloud.microsoft": ("/", _from_teams_page),
    "teams.live.com": ("/", _from_teams_page),
    "teams.microsoftonline.cn": ("/", _from_teams_page),
    "zoom.us": ("/join", _from_zoom_join),
    "zoom.com": ("/join", _from_zoom_join),
    "zoomgov.com": ("/join", _from_zoom_join),
    "zoom.com.cn": ("/join", _from_zoom_join),
    "zoom-x.de": ("/join", _from_zoom_join),
    "zoomus.cn": ("/join", _from_zoom_join),
    "g.co": ("/meet/", _from_meet_short_link),
}
# Where trackers and sign-in pages of any host put the page they lead to.
# fmt: off
_TARGET_PARAMS = frozenset({
    "url", "u", "q", "target", "targeturl", "target_url", "redirect", "redirect_url", "redirect_uri",
    "redirecturl", "redir", "dest", "destination", "link", "goto", "continue", "href", "returnurl",
    "return_url", "returnto", "return_to", "ru", "uri", "l", "r", "to", "next", "return",
})
# fmt: on


def is_redirector_host(host: str) -> bool:
    return _redirector(host) is not None


def _redirector(host: str) -> tuple[str, Callable[[Url], str | None]] | None:
    suffix = host
    while suffix:
        if suffix in _REDIRECTORS:
            return _REDIRECTORS[suffix]
        suffix = suffix.partition(".")[2]
    return None


def unwrap_redirector(url: Url) -> str | None:
    """The original behind a rewriter we know by host, or None."""
    path, decode = _redirector(url.host) or ("", None)
    if decode is None or not (url.path or "/").startswith(path):
        return None
    return _as_http(decode(url) or "")


def unwrap_any(url: Url) -> str | None:
    """As `unwrap_redirector`, else a full URL where trackers put it: in a parameter, in a segment of the path. Only
    fit for targets checked afterwards."""
    known = unwrap_redirector(url)
    if known is not None:
        return known
    for name, value in url.params():
        if name in _TARGET_PARAMS and (target := _as_http(unquote(value))):
            return target
    return _as_http(_from_segment(url) or "")


def _as_http(target: str) -> str | None:
    """`target` when it is an http(s) URL or opens a service's app, as a web address with both its slashes, after up to
    two more rounds of percent-decoding."""
    for _ in range(3):
        target = web_form(target)
        scheme = _HTTP.match(target)
        if scheme is not None:
            return f"{scheme[1]}://{target[scheme.end() :]}" if scheme[1] else target
        target = unquote(target)
    return None


def web_form(link: str) -> str:
    """A link that opens a service's app, as the web address in it; any other text unchanged."""
    return _APP.sub("https://", link, count=1) if _APP.match(link) else link


def layers(text: str, unwrap: Callable[[Url], str | None]) -> Iterator[Url]:
    """The URL in `text`, then what `unwrap` finds inside it, and so on, `MAX_UNWRAPS` deep."""
    target: str | None = text
    for _ in range(MAX_UNWRAPS + 1):
        url = parse_url(clean(target)) if target else None
        if url is None:
            return
        yield url
        target = unwrap(url)


def clean(url: str) -> str:
    """Without what text leaves on a URL: doubled `&amp;`, white space, the punctuation of the sentence around it."""
    return _REPEATED_AMP.sub("&", url.strip()).rstrip(TRAILING)
