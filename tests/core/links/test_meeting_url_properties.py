"""What holds of any text: no exception, an https result on the provider's own host, the same result found again."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from hypothesis import example, given
from hypothesis import strategies as st

from sync.core.links.meeting_link import LinkSources, MeetingLink
from sync.core.links.meeting_url import find_meeting_link
from sync.core.links.providers import PROVIDERS
from tests.core.links.test_meeting_url_cases import ANY_HOST_LINKS, JOIN_LINKS, NOT_JOIN_LINKS

HOSTS = {
    provider.slug: {host for shape in provider.shapes for host in shape.hosts or provider.hosts}
    for provider in PROVIDERS
}
LINKS = ["https://" + link for _, link, _, _ in JOIN_LINKS]
PIECES = [
    *LINKS,
    *("https://" + link for _, link, _, _ in ANY_HOST_LINKS),
    *(text for _, text in NOT_JOIN_LINKS),
    "https://", "http://", "//", "www.google.com/url?q=", "https://urldefense.com/v3/__", "__;", "!!", "**A",
    "%", "%25", "%2e", "&amp;", "&lt;", "&#x2F;", '<a href="', '">', "<", ">", "\n", " ", ".", ",", ";", "?", "#",
    "/", "@", ":", "\\", "\u200b", "\ud800", "。", "é", "pwd=", "&tk=", "context=", "zoom.us", "j/123456789", "*", "=",
]  # fmt: skip
texts = st.one_of(
    st.text(max_size=300),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=8).map("".join),
)
joinable = st.sampled_from(LINKS)


def host_matches(host: str, pattern: str) -> bool:
    """The documented meaning of host patterns, written a second time."""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and host != pattern[2:]
    if pattern.endswith(".*"):
        return host.startswith(pattern[:-1]) and host.count(".") > 1
    return pattern in ("*", host)


def assert_sound(link: MeetingLink) -> None:
    parts = urlsplit(link.url)
    assert parts.scheme == "https"
    assert parts.username is None
    assert parts.hostname
    assert link.url.isascii()
    assert link.url.isprintable()
    assert " " not in link.url
    assert link.room_key.startswith(link.provider + ":")
    if link.provider != "other":
        assert parts.netloc == parts.hostname
        assert any(host_matches(parts.hostname, pattern) for pattern in HOSTS[link.provider])


@given(texts, texts, texts, texts)
@example("", "", "", ".:/")
@example("//", "https://", "@/", "https:///")
def test_any_texts_give_a_sound_link_or_none(conference: str, hangout: str, location: str, description: str) -> None:
    link = find_meeting_link(LinkSources((("video", conference),), hangout, location, description))
    if link is not None:
        assert_sound(link)


@given(texts)
@example("https://meet.jit.si/abc.?x=1")
@example("https://zoom.us/j/123456789?pwd=abc.&x=1")
@example("https://bbb.example.org/bigbluebutton/api/join?meetingID=a&lt;=1.&b=2")
def test_finding_in_a_result_finds_the_same(text: str) -> None:
    for sources in (LinkSources(description=text), LinkSources((("video", text),))):
        link = find_meeting_link(sources)
        if link is None:
            continue
        again = find_meeting_link(LinkSources((("video", link.url),)))
        assert again is not None
        assert (again.provider, again.url, again.room_key) == (link.provider, link.url, link.room_key)
        if link.found_in == "description":
            assert find_meeting_link(LinkSources(description=link.url)) == link


@given(joinable, st.sampled_from(["{}", "({}).", "<{}>", '<a href="{}">x</a>', "Join:{}\nor call", "“{}”"]))
def test_wrapping_in_punctuation_or_html_changes_nothing(link: str, around: str) -> None:
    plain = find_meeting_link(LinkSources(description=link))
    assert plain is not None
    assert find_meeting_link(LinkSources(description=around.format(link))) == plain


@given(joinable, st.lists(st.sampled_from(["google", "safelinks", "tracker"]), min_size=1, max_size=3))
def test_rewriting_a_direct_link_never_changes_it(link: str, rewriters: list[str]) -> None:
    plain = find_meeting_link(LinkSources(description=link))
    wrapped = link
    for name in rewriters:
        target = quote(wrapped, safe="")
        wrapped = {
            "google": f"https://www.google.com/url?q={target}&sa=D",
            "safelinks": f"https://eur01.safelinks.protection.outlook.com/?url={target}&data=05",
            "tracker": f"https://click.example.com/c?id=1&target={target}",
        }[name]
    assert find_meeting_link(LinkSources(description=wrapped)) == plain


@given(joinable, joinable)
def test_a_direct_link_is_never_taken_for_a_rewriter(link: str, other: str) -> None:
    plain = find_meeting_link(LinkSources(description=link))
    assert plain is not None
    separator = "&" if "?" in link else "?"
    if "#" in link:
        return
    disguised = find_meeting_link(LinkSources(description=f"{link}{separator}url={quote(other, safe='')}"))
    assert disguised is not None
    assert (disguised.provider, disguised.room_key) == (plain.provider, plain.room_key)
