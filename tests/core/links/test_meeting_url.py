"""Where a join link is looked for, how it is read out of text and HTML, and what rewriters hide it."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from sync.core.links import meeting_url
from sync.core.links.meeting_link import LinkSources, MeetingLink
from sync.core.links.meeting_url import find_meeting_link
from sync.core.links.url_unwrap import MAX_UNWRAPS, MAX_URL_CHARS
from tests.call_counts import calls_made

ZOOM = "https://zoom.us/j/123456789?pwd=abc"
MEET = "https://meet.google.com/abc-defg-hij"
TEAMS_ROUTE = "/l/meetup-join/19%3ameeting_Zm%40thread.v2/0?context=%7b%22Tid%22%3a%22x%22%7d"
TEAMS = "https://teams.microsoft.com" + TEAMS_ROUTE
SAFE = "https://nam11.safelinks.protection.outlook.com/?url={}&data=05%7C02%7C%7C&sdata=x%2B&reserved=0"


def in_description(text: str) -> str | None:
    link = find_meeting_link(LinkSources(description=text))
    return link.url if link else None


def in_conference(*uris: str, kind: str = "video") -> MeetingLink | None:
    return find_meeting_link(LinkSources(entry_points=tuple((kind, uri) for uri in uris)))


# --- order of sources --------------------------------------------------------------------------------------------


def test_conference_comes_before_hangout_link_location_and_description() -> None:
    everything = LinkSources((("video", ZOOM),), MEET, "https://whereby.com/a-room", "https://8x8.vc/a/b")
    assert find_meeting_link(everything) == MeetingLink("zoom", ZOOM, "zoom:123456789", "conference")

    without_conference = LinkSources((), MEET, ZOOM, ZOOM)
    assert find_meeting_link(without_conference) == MeetingLink(
        "google_meet", MEET, "google_meet:abc-defg-hij", "hangout_link"
    )

    in_both = find_meeting_link(LinkSources(location=ZOOM, description=MEET))
    assert in_both is not None
    assert (in_both.provider, in_both.found_in) == ("zoom", "location")


def test_empty_event_has_no_link() -> None:
    assert find_meeting_link(LinkSources()) is None
    assert find_meeting_link(LinkSources((("video", ""),), "", "", "")) is None


@pytest.mark.parametrize("kind", ["phone", "sip", "more", ""])
def test_only_video_entry_points_are_links(kind: str) -> None:
    assert in_conference(ZOOM, kind=kind) is None


def test_known_service_in_conference_comes_before_unknown_host() -> None:
    link = in_conference("https://vc.example.com/room/42", MEET)
    assert link is not None
    assert link.provider == "google_meet"


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("zoommtg://zoom.us/join?confno=123456789&pwd=abc", ZOOM),
        ("msteams://teams.microsoft.com" + TEAMS_ROUTE, TEAMS),
    ],
)
def test_link_that_opens_the_app_becomes_the_link_anybody_opens(uri: str, url: str) -> None:
    link = in_conference(uri)
    assert link is not None
    assert (link.url, in_description(uri)) == (url, url)


def test_unknown_host_is_believed_only_in_conference() -> None:
    uri = "https://vc.example.com/room/42?key=a#b"
    assert in_conference(uri) == MeetingLink("other", uri, "other:vc.example.com/room/42?key=a#b", "conference")
    assert find_meeting_link(LinkSources(hangout_link=uri, location=uri, description=uri)) is None


@pytest.mark.parametrize(
    "uri",
    [
        "http://vc.example.com/room",
        "tel:+4930123456",
        "javascript:alert(1)",
        "javascript://vc.example.com/%0aalert(1)",
        "data:text/html,https://vc.example.com/",
        "https://vc.example.com@evil.com/",
        "https://evil.com\\@vc.example.com/",
        "https://127.0.0.1/room",
        "https://0x7f.1/room",
        "https://2130706433/room",
        "https://[::1]/room",
        "https://localhost/room",
        "https://kubernetes/room",
        "https://vault.internal/room",
        "https://printer.local/room",
        "https://vc.example.com:99999/room",
        "https://[/room",
        "https://tel.meet/abc-defg-hij?pin=1",
        "https://zoom.us/u/abc",
        "https://zoom.us/join",
        "zoommtg://zoom.us/start?zak=secret",
        "https://support.zoom.us/hc",
        "https://dialin.teams.microsoft.com/x?id=1",
        "https://aka.ms/JoinTeamsMeeting",
        "https://acme.webex.com/acme/globalcallin.php?MTID=1",
        "https://vc.example.com/\ud800",
    ],
)
def test_conference_uri_nobody_should_open_is_refused(uri: str) -> None:
    assert in_conference(uri) is None


INNER_HOSTS = [
    *(
        "kubernetes.default.svc",
        "kubernetes.default.svc.",
        "jitsi.meet.svc.cluster.local",
        "vault.default",
    ),
    *("localhost.localdomain", "metadata.google.internal", "nas.home.arpa", "fritz.box", "wiki.corp", "x.consul"),
    *("169.254.169.254.nip.io", "169-254-169-254.nip.io", "a9fea9fe.nip.io", "app.10.0.0.1.sslip.io", "--1.sslip.io"),
    *(
        "localtest.me",
        "x.lvh.me",
        "192-168-1-9.abcdef.plex.direct",
        "ip-10-0-0-1.example.net",
        "1.169.254.169.254.x.org",
    ),
    *(
        "0x7f.0.0.1",
        "0177.0.0.1",
        "2852039166",
        "0xa9fea9fe",
        "127.1",
        "169.254.169.254.",
        "[fd00::1]",
        "[::ffff:10.0.0.1]",
    ),
    *("１２７.0.0.1", "kubernetes。default。svc", "KUBERNETES.Default.SVC", "16９.254.169.254.nip.io"),
]


@pytest.mark.parametrize("host", INNER_HOSTS)
def test_a_name_that_can_only_be_inside_is_no_join_link_wherever_it_stands(host: str) -> None:
    own = f"https://{host}/room"
    meets = f"https://meet.{host}/room"
    wrapped = f"https://eur01.safelinks.protection.outlook.com/?url={quote(own, safe='')}"

    for link in (own, meets, wrapped, f"https://www.google.com/url?q={own}"):
        assert in_conference(link) is None
        assert find_meeting_link(LinkSources(hangout_link=link, location=link, description=link)) is None


@pytest.mark.parametrize(
    "host",
    [
        "vc.example.com",
        "ec2-54-93-1-2.compute.amazonaws.com",
        "8.8.8.8.example.net",
        "v1-2-3.meet.org",
        "svc.example.org",
    ],
)
def test_a_public_name_is_a_join_link_whatever_numbers_it_holds(host: str) -> None:
    assert in_conference(f"https://{host}/room") is not None


def test_vague_self_hosted_forms_are_believed_in_conference_only() -> None:
    link = in_conference("https://bbb.example.org/b/alice")
    assert link is not None
    assert link.provider == "bigbluebutton"
    assert in_description("https://bbb.example.org/b/alice") is None


def test_rewritten_unknown_host_in_conference_is_unwrapped() -> None:
    link = in_conference(SAFE.format(quote("https://vc.example.com/room/42", safe="")))
    assert link is not None
    assert link.url == "https://vc.example.com/room/42"


# --- reading text ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "zoom.us/j/123456789?pwd=abc",
        "Zoom:zoom.us/j/123456789?pwd=abc",
        "HTTPS://ZOOM.US/j/123456789?pwd=abc",
        "https://zoom.us./j/123456789?pwd=abc",
        "https://zoom.us:443/j/123456789?pwd=abc",
        "https://zoom.us//j/123456789?pwd=abc",
        "//zoom.us/j/123456789?pwd=abc",
        "(https://zoom.us/j/123456789?pwd=abc)",
        "<https://zoom.us/j/123456789?pwd=abc>.",
        "[https://zoom.us/j/123456789?pwd=abc](https://zoom.us/j/123456789?pwd=abc)",
        "**https://zoom.us/j/123456789?pwd=abc**",
        "“https://zoom.us/j/123456789?pwd=abc”",
        "https://zoom.us/j/123456789?pwd=abc,https://zoom.us/j/987654321",
        "https://zoom.us/j/123456789?pwd=abchttps://zoom.us/j/123456789?pwd=abc",
        "zoom.us/j/123456789?pwd=abc,https://zoom.us/j/987654321",
        "https://example.com/r/https://zoom.us/j/123456789?pwd=abc",
        "https://zoom.us/j/123456789?pwd=abc;",
        "Click here to joinhttps://zoom.us/j/123456789?pwd=abc",
        "会议链接：https://zoom.us/j/123456789?pwd=abc。点击加入",
        "https://zoom.us/j/123456789?pwd=abc点击加入",
        "https://zoom.us/j/123456789?pwd=abc&amp;uname=x",
        "https://zoom.us/j/123456789?x=1&amp;amp;pwd=abc",
        "https://zoom.us/j/123456789?pwd=abc&copy=1",
        "https://zoom.us/j/123456789?pwd&#61;abc",
        "https:&#x2F;&#x2F;zoom.us&#x2F;j&#x2F;123456789?pwd&#x3D;abc",
        "&lt;https://zoom.us/j/123456789?pwd=abc&gt;",
        "https:\\/\\/zoom.us\\/j\\/123456789?pwd=abc",
        "https://zoom.us/j/123456789?pwd=abc\\nMeeting ID: 123",
        "https://zoom\u200b.us/j/1234\u00ad56789?pwd=abc",
        "https://zoom&#8203;.us/j/123456789?pwd=abc",
        '<a href="https://zoom.us/j/123456789?pwd=abc&amp;x=1">join</a>',
        "<a href='https://zoom.us/j/123456789?pwd=abc'>join</a>",
        "<a href=https://zoom.us/j/123456789?pwd=abc>join</a>",
        '<A HREF=\\"https://zoom.us/j/123456789?pwd=abc\\">join</A>',
        '<a href="//zoom.us/j/123456789?pwd=abc">join</a>',
        "https://zoom.us/<wbr>j/123456789<wbr/>?pwd=abc",
        "<https://zoom.us/j/1234\r\n56789?pwd=abc>",
        "https%3A%2F%2Fzoom.us%2Fj%2F123456789%3Fpwd%3Dabc",
        "https://aka.ms/JoinTeamsMeeting https://zoom.us/u/x https://zoom.us/j/123456789?pwd=abc",
        "https://zoom.us/j/123456789?pwd=abc&pwd=other",
        "https://example.com/see,https://zoom.us/j/123456789?pwd=abc",
        "zoommtg://zoom.us/join?action=join&confno=123456789&pwd=abc&zc=0",
        "ZoomMtg://zoom.us/join?confno=123456789&amp;pwd=abc.",
        "zoomus://zoom.us/join?confno=123456789&pwd=abc",
        '<a href="zoommtg://zoom.us/join?confno=123456789&amp;pwd=abc">open the app</a>',
        "Dial https://zoom.us/u/kd,zoommtg://zoom.us/join?confno=123456789&pwd=abc",
        "https://click.example.com/c?to=zoommtg%3A%2F%2Fzoom.us%2Fjoin%3Fconfno%3D123456789%26pwd%3Dabc",
        "\u2066https://zoom.us/j/\u202a123456789\u202c?pwd=abc\u2069",
        "https://zoom.us/\u2061j/1234\ufe0f56789?pwd=abc",
    ],
)
def test_link_is_read_out_of_text(text: str) -> None:
    assert in_description(text) == ZOOM


def test_full_width_host_is_what_browsers_make_of_it() -> None:
    link = in_conference("https://ｚｏｏｍ.us/j/123456789?pwd=abc")
    assert link is not None
    assert link.url == ZOOM


def test_first_link_of_a_text_wins() -> None:
    assert in_description(f"Backup: {MEET} or {ZOOM}") == MEET


def test_line_break_outside_angle_brackets_is_not_joined() -> None:
    assert in_description("https://zoom.us/j/12345\n6789") == "https://zoom.us/j/12345"


def test_room_key_is_the_same_across_hosts_passcodes_and_tracking() -> None:
    texts = [
        "https://zoom.us/j/123456789",
        "acme.zoom.us/w/123456789?tk=t",
        "https://us02web.zoom.us/j/123456789?pwd=x",
    ]
    links = [find_meeting_link(LinkSources(location=text)) for text in texts]
    assert {link.room_key for link in links if link} == {"zoom:123456789"}


def test_outlook_teams_block_gives_the_join_link_not_help_or_options() -> None:
    block = f"""________________
Microsoft Teams Need help?<https://aka.ms/JoinTeamsMeeting?omkt=en-GB>
Join the meeting now<{TEAMS}>
Meeting ID: 380 238 149 439
Dial in by phone <tel:+15555555555,,111222333> Find a local number<https://dialin.teams.microsoft.com/22f1?id=1>
For organizers: Meeting options<https://teams.microsoft.com/meetingOptions/?organizerId=1&threadId=19_x@thread.v2>"""
    assert in_description(block) == TEAMS


def test_google_meet_block_gives_the_room_not_the_phone_page() -> None:
    block = (
        "More phone numbers: https://tel.meet/nnc-etnz-gya?pin=7723645902601&hs=7\n"
        "Join with Google Meet: https://meet.google.com/nnc-etnz-gya\n-::~:~::~:~"
    )
    assert in_description(block) == "https://meet.google.com/nnc-etnz-gya"


# --- rewriters ---------------------------------------------------------------------------------------------------


def _sophos(url: str) -> str:
    encoded = base64.b64encode(url.encode()).decode()
    return f"https://eu-central-1.protection.sophos.com/?d=zoom.us&u={quote(encoded)}&i=1&t=2&h=3"


ENCODED = quote(ZOOM, safe="")
WRAPPED = [
    SAFE.format(ENCODED),
    SAFE.format(ENCODED).replace("&", "&amp;"),
    SAFE.format(SAFE.format(ENCODED).replace("&", "%26").replace("%", "%25").replace(":", "%3A")),
    f"https://gcc02.safelinks.protection.outlook.com/ap/t-59584e83/?url={ENCODED}",
    f"https://statics.teams.cdn.office.net/evergreen-assets/safelinks/1/atp-safelinks.html?url={ENCODED}&locale=en",
    f"https://www.google.com/url?q={ENCODED}&sa=D&source=calendar&usg=AOv",
    "https://www.google.com/url?q=https://zoom.us/j/123456789?pwd%3Dabc&sa=D&source=calendar",
    "https://www.google.com/url?q=https://zoom.us/j/123456789?pwd=abc&sa=D",
    "https://urldefense.proofpoint.com/v1/url?u=" + ENCODED + "&k=abc",
    "https://urldefense.proofpoint.com/v2/url?u=https-3A__zoom.us_j_123456789-3Fpwd-3Dabc&d=DwMFaQ&c=x",
    "https://urldefense.com/v3/__https://zoom.us/j/123456789?pwd=abc__;!!Fjc1LPEtn8I!xyz$",
    "https://urldefense.com/v3/__https:/zoom.us/j/123456789?pwd=abc__;!!Fjc1LPEtn8I!xyz$",
    "https://urldefense.com/v3/__https://zoom.us/j/123456789*pwd=abc__;Pw!!Fjc1LPEtn8I!xyz$",
    "https://urldefense.com/v3/__https://zoom.us/j/1**D6789?pwd=abc__;MjM0NQ!!F!xyz$".replace("**D", "**C"),
    f"https://linkprotect.cudasvc.com/url?a={ENCODED}&c=E,1,abc&typo=1",
    f"https://secure-web.cisco.com/1S1h_Cy8Q_Oh-5N7/{ENCODED}",
    f"https://secure-web.cisco.com/1S1h_Cy8Q_Oh-5N7/{ZOOM}",
    _sophos(ZOOM),
    f"https://ddec1-0-en-ctp.trendmicro.com:443/wis/clicktime/v1/query?url={ENCODED}&umid=1",
    f"https://protect-us.mimecast.com/s/abc123?url={ENCODED}",
    f"https://slack-redir.net/link?url={ENCODED}",
    f"https://l.facebook.com/l.php?u={ENCODED}&h=AT10",
    f"https://l.messenger.com/l.php?u={ENCODED}",
    f"https://www.linkedin.com/redir/redirect?url={ENCODED}&urlhash=x",
    f"https://click.mailer.example.com/track?id=9&redirect_url={ENCODED}",
    f"https://accounts.example.com/ServiceLogin?continue={quote(ENCODED)}",
    # Cisco's own proxy and others collapse the slashes of what stands in a path.
    "https://secure-web.cisco.com/1S1h_Cy8Q_Oh-5N7/https:/zoom.us/j/123456789?pwd=abc",
    f"https://secure-web.cisco.com/1S1h_Cy8Q_Oh-5N7/{ENCODED}".replace("%3A%2F%2F", ":%2F%2F"),
    f"https://linkprotect.cudasvc.com/?a={ENCODED}&c=E,1,abc",
    f"https://protect2.fireeye.com/v1/url?k=31323334-501cfaf3&q=1&e=d&u={ENCODED}",
    f"https://clicktime.symantec.com/3CEByFeAhiCPSrTHqX4D7LH7Vc?u={ENCODED}",
    # The newer form puts the address last and as it is, ampersands included.
    "https://clicktime.symantec.com/15xVSdMrXnLovyYq5?h=6gce=&u=https://zoom.us/j/123456789?x=1&pwd=abc",
    f"https://urlsand.esvalabs.com/?u={ENCODED}&e=ed7a584b&h=456504aa&f=y&p=y",
    f"https://atpscan.global.hornetsecurity.com/?d=Hz&f=rh&i=&k=Eb5a&u={ENCODED}",
    f"https://url.us.m.mimecastprotect.com/s/abc123?url={ENCODED}",
    f"https://www.youtube.com/redirect?event=x&q={ENCODED}",
    # Mail click trackers that hold the address in one segment of the path.
    f"https://abc.r.us-east-1.awstrack.me/L0/{ENCODED}/1/0100019f-0000/Oc8q=473".replace("%3A", ":"),
    f"https://links.mailer.example.com/CL0/{ENCODED}/1/0100019f-0000/Oc8q=473",
]

# What stands between the underscores, and after them, in links Check Point's click-time protection wrote.
INNER = [
    ZOOM,
    "https:/zoom.us/j/123456789?pwd=abc",
    ENCODED,
    "https%3A//zoom.us/j/123456789%3Fpwd%3Dabc",
    "https%3A/zoom.us/j/123456789%3Fpwd%3Dabc",
]
PREFIXES = [
    "https://protect.checkpoint.com/v2/",
    "https://protect.checkpoint.com/v2/r01/",
    "https://protect.checkpoint.com/v2/r06/",
    "https://url.avanan.click/v2/",
    "https://url.avanan.click/v2/r02/",
]
SIGNATURE = ".YzJ1OmFjbWU6YzpnOmZhZTVlN2ViNmU2NGY5OWY6NzozYTMxOjUzYzEyZDhjOmg6VDpG"
CHECK_POINT = [f"{prefix}___{inner}___{SIGNATURE}" for prefix in PREFIXES for inner in INNER]
CHECK_POINT_ZOOM = CHECK_POINT[0]


def _proofpoint_v2(url: str) -> str:
    return (
        "https://urldefense.proofpoint.com/v2/url?u="
        + quote(url, safe=".").replace("_", "%5F").replace("-", "%2D").replace("%2F", "_").replace("%", "-")
        + "&d=DwMFaQ&c=x"
    )


def _proofpoint_v3(url: str) -> str:
    return f"https://urldefense.com/v3/__{url}__;!!Fjc1LPEtn8I!xyz$"


def _check_point(url: str) -> str:
    return f"https://protect.checkpoint.com/v2/r02/___{url}___{SIGNATURE}"


NESTED = [
    SAFE.format(quote(CHECK_POINT_ZOOM, safe="")),
    _proofpoint_v2(CHECK_POINT_ZOOM),
    _proofpoint_v3(CHECK_POINT_ZOOM),
    f"https://www.google.com/url?q={quote(CHECK_POINT_ZOOM, safe='')}&sa=D",
    f"https://secure-web.cisco.com/1S1h/{quote(CHECK_POINT_ZOOM, safe='')}",
    f"https://linkprotect.cudasvc.com/url?a={quote(CHECK_POINT_ZOOM, safe='')}&c=E",
    f"https://protect-us.mimecast.com/s/abc?url={quote(CHECK_POINT_ZOOM, safe='')}",
    _sophos(CHECK_POINT_ZOOM),
    _check_point(CHECK_POINT_ZOOM),
    *(_check_point(wrapped) for wrapped in WRAPPED if wrapped != _sophos(ZOOM)),
    _check_point(_sophos(ZOOM)),
    _proofpoint_v3(SAFE.format(ENCODED)),
]


@pytest.mark.parametrize("wrapped", [*WRAPPED, *CHECK_POINT, *NESTED])
def test_rewritten_link_is_unwrapped(wrapped: str) -> None:
    assert in_description(f'<p>Join: <a href="{wrapped}">click</a></p>') == ZOOM
    assert in_description(wrapped) == ZOOM
    link = in_conference(wrapped)
    assert link is not None
    assert link.url == ZOOM


@pytest.mark.parametrize("written", [*CHECK_POINT[:2], WRAPPED[10], WRAPPED[9], SAFE.format(ENCODED)])
def test_rewritten_link_typed_without_its_scheme_is_unwrapped(written: str) -> None:
    assert in_description("Join: " + written.removeprefix("https://")) == ZOOM


@pytest.mark.parametrize("passcode", ["a_", "a__b", "_", "a%2Bb", "a%252Bb", "a.1", "VVNrcFdvMkZz.1"])
def test_passcode_survives_check_point_and_what_stands_around_it(passcode: str) -> None:
    url = "https://zoom.us/j/123456789?pwd=" + passcode
    one_slash = url.replace("//", "/")
    for wrapped in (
        _check_point(url),
        _check_point(one_slash),
        _check_point(quote(url, safe="")),
        _check_point(quote(one_slash, safe="")),
        SAFE.format(quote(_check_point(url), safe="")),
        _proofpoint_v3(_check_point(url)),
    ):
        assert in_description(f"Join <{wrapped}>.") == url
        link = in_conference(wrapped)
        assert link is not None
        assert link.url == url


def test_check_point_link_without_signature_or_folded_is_unwrapped() -> None:
    assert (
        in_description("Join: https://protect.checkpoint.com/v2/r02/___https:/zoom.us/j/123456789?pwd=abc___") == ZOOM
    )
    assert in_description(f"Join<{_check_point(ZOOM)[:-20]}\r\n{_check_point(ZOOM)[-20:]}>") == ZOOM
    link = in_conference(_check_point("https:/vc.example.com/room/42"))
    assert link is not None
    assert (link.provider, link.url) == ("other", "https://vc.example.com/room/42")


@pytest.mark.parametrize(
    "wrapped",
    [
        "https://teams.microsoft.com/_#" + TEAMS_ROUTE,
        "https://teams.microsoft.com/v2/?meetingjoin=true#" + TEAMS_ROUTE,
        "https://teams.microsoft.com/dl/launcher/launcher.html?url=" + quote("/_#" + TEAMS_ROUTE, safe="") + "&type=m",
        SAFE.format(quote(TEAMS, safe="")),
        "https://urldefense.com/v3/__" + TEAMS + "__;!!abc!d$",
        _check_point(TEAMS),
        _check_point(TEAMS.replace("//", "/")),
        _check_point(quote(TEAMS, safe="")),
        SAFE.format(quote(_check_point(TEAMS), safe="")),
    ],
)
def test_teams_link_survives_launchers_and_rewriters(wrapped: str) -> None:
    assert in_description(wrapped) == TEAMS


@pytest.mark.parametrize(
    "wrapped",
    [
        "https://protect-us.mimecast.com/s/Dq2tCqx82YfMWNPOFZubbx?domain=zoom.us",
        "https://us-west-2.protection.sophos.com/?d=zoom.us&u=%%%&i=1",
        "https://us-west-2.protection.sophos.com/?d=zoom.us&u=gICA",
        "https://urldefense.com/v3/__https://zoom.us/x__;!!a$",
        "https://urldefense.com/v3/broken",
        "https://secure-web.cisco.com/1S1h_Cy8Q",
        "https://www.google.com/url?q=javascript:alert(1)",
        "https://www.google.com/url?q=zoom",
        "https://protect.checkpoint.com/v2/r01/___https://zoom.us/x___.YzJ1",
        "https://protect.checkpoint.com/v2/r01/___zoom___.YzJ1",
        "https://protect.checkpoint.com/v2/r01/",
        "https://url.avanan.click/v2/___https://zoom.us.evil.com/j/123456789___.YzJ1",
        "https://abc.r.us-east-1.awstrack.me/L0/https:%2F%2Fzoom.us%2Fx/1/0100",
        SAFE.format(quote("https://zoom.us.evil.com/j/123456789", safe="")),
        SAFE.format(quote("https://zoom.us@evil.com/j/123456789", safe="")),
    ],
)
def test_rewriter_without_a_join_link_inside_gives_none(wrapped: str) -> None:
    assert in_description(wrapped) is None


def test_unwrapping_stops_at_its_depth() -> None:
    url = ZOOM
    for _ in range(MAX_UNWRAPS):
        url = "https://www.google.com/url?q=" + quote(url, safe="")
    assert in_description(url) == ZOOM
    assert in_conference("https://www.google.com/url?q=" + quote(url, safe="")) is None


# --- hostile and oversized text ------------------------------------------------------------------------------------


def test_link_longer_than_any_real_one_is_refused_not_truncated() -> None:
    assert in_description("https://zoom.us/j/123456789?pwd=" + "a" * MAX_URL_CHARS) is None


def test_text_is_read_to_its_cap_and_never_cut_inside_a_link() -> None:
    cap = meeting_url.MAX_TEXT_CHARS
    assert in_description("x " * (cap // 2 - 30) + ZOOM) == ZOOM
    assert in_description("x " * (cap // 2 - 10) + ZOOM) is None
    assert in_description("x " * cap + ZOOM) is None
    assert in_description("x" * (cap - 20) + "," + ZOOM) is None
    assert in_description(" " * cap + ZOOM) is None


HOSTILE = [
    "http://",
    "https://zoom.us/x ",
    "<a href=",
    "<a href='https://",
    "<http://\n",
    "%25",
    "https%3A%2F%2F",
    "https://www.google.com/url?q=",
    "https://nam.safelinks.protection.outlook.com/?url=",
    "https://urldefense.com/v3/__**_ ",
    "https://protect.checkpoint.com/v2/___",
    "protect.checkpoint.com/v2/___https:/",
    "___.",
    "/https:%2F%2F",
    "&amp;",
    "&#9",
    "&#99999999999;",
    "a",
    "a.",
    "a/",
    "/",
    "://",
    "<wbr ",
    "\u200b",
    "\ud800",
    "\x00",
    " ",
    "\n",
    "https://a.b.c.d.e.f.g.h.i.j.k.l/ ",
    "https://meet.jit.si/. ",
    "https://x.yz/b/abc-def- ",
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_a_megabyte_of_hostile_text_ends(unit: str) -> None:
    megabyte = unit * (1_000_000 // len(unit))
    full_read = megabyte[: meeting_url.MAX_TEXT_CHARS]  # Not cut back to the end of a word, so all of it is scanned.
    assert find_meeting_link(LinkSources((("video", megabyte),), megabyte, megabyte, full_read)) is None


@pytest.mark.parametrize("unit", HOSTILE)
def test_twice_the_hostile_text_is_at_most_about_twice_the_work(unit: str) -> None:
    size = 8_000 // len(unit)
    whole, half = (LinkSources(description=unit * times * size) for times in (2, 1))
    assert calls_made(lambda: find_meeting_link(whole)) < 2.5 * calls_made(lambda: find_meeting_link(half)) + 200


@pytest.mark.parametrize("uri", ["https://zoom.us/" + "a/" * 1000, "https://www.google.com/url?q=" * 100])
def test_thousands_of_entry_points_are_hardly_more_work_than_a_few(uri: str) -> None:
    few, many = (LinkSources(entry_points=(("video", uri),) * count) for count in (meeting_url.MAX_VIDEOS, 5000))

    # Their kinds are looked at, one by one.
    assert calls_made(lambda: find_meeting_link(many)) < calls_made(lambda: find_meeting_link(few)) + 2 * 5000


def test_a_megabyte_in_one_url_ends() -> None:
    for text in (
        "https://zoom.us/j/" + "1" * 1_000_000,
        "https://" + "a." * 500_000 + "com/",
        "https://secure-web.cisco.com/" + "a/" * 500_000,
        "https://teams.microsoft.com/l/meetup-join/" + "%25" * 300_000 + "/0",
    ):
        assert in_conference(text) is None
        assert in_description(text) is None
