"""The meeting services we recognise, as data: one row per service, nothing but the row decides.

Owns host and path patterns, what part of a link names the room, which query parameters a join needs, and the pages
that look like join links and are not. Refuses behaviour: `core/links/meeting_url`, its only caller, reads it.
To add a service, add a row here and a line to the table in `tests/core/links/test_meeting_url_cases.py`.

Host patterns: `zoom.us` exactly; `*.zoom.us` any subdomain, never the bare name; `cloud.*` that first label on any
host of three labels or more; `*` any host. The last two say nothing of who runs the server: what they match is
believed in conference data and a location, never in a description. A path is matched whole, without its trailing
slash, ignoring case; its groups name the room. Patterns repeat one character class at a time, so they are linear on
hostile text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """One form of a service's join links.

    `keep` are query parameters a join needs: passcodes, signed tickets ("*" keeps the query untouched because it is
    signed). `room_params` are required, and name the room together with the path's groups. `fragment` matches and
    keeps what follows `#`. `per_host` rooms are unique only on their host. `vanity` says people choose the name
    in the first group, so ordinary page names are refused; `tenant` the same, for the first label of the host too.
    `conference_only` shapes are too vague to trust in any text. `hosts` replaces the service's own.
    """

    path: re.Pattern[str]
    keep: tuple[str, ...] = ()
    room_params: tuple[str, ...] = ()
    fragment: bool = False
    per_host: bool = False
    fold_case: bool = False
    vanity: bool = False
    tenant: bool = False
    conference_only: bool = False
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Provider:
    """A meeting service: its stable slug (stored in `meetings`), its hosts, the forms of its links."""

    slug: str
    hosts: tuple[str, ...]
    shapes: tuple[Shape, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _shape(
    path: str,
    *,
    keep: str = "",
    room: str = "",
    hosts: str = "",
    flags: str = "",
) -> Shape:
    """A `Shape` from space-separated words, so that a row stays readable."""
    return Shape(
        path=re.compile(path, re.ASCII | re.IGNORECASE),
        keep=_words(keep.lower()),
        room_params=_words(room.lower()),
        hosts=_words(hosts),
        **dict.fromkeys(_words(flags), True),
    )


def _row(slug: str, hosts: str, *shapes: Shape) -> Provider:
    return Provider(slug, _words(hosts), shapes)


ID = r"[\w-]{2,200}"  # an opaque identifier
NAME = r"[\w.~%@+=-]{1,200}"  # a name people choose, possibly percent-encoded
NO_DOT = r"[\w~%@+=-]{1,200}"
UUID = r"[0-9a-f-]{32,36}"
TEAMS = _words("""
    teams.microsoft.com gov.teams.microsoft.com teams.microsoft.us gov.teams.microsoft.us dod.teams.microsoft.us
    teams.cloud.microsoft teams.live.com teams.microsoftonline.cn
""")
ZOHO = " ".join(f"meet.zoho.{tld} meeting.zoho.{tld}" for tld in _words("com eu in jp ca sa uk com.au com.cn"))

PROVIDERS: tuple[Provider, ...] = (
    # --- the services most invitations use -------------------------------------------------------------------------
    _row(
        "google_meet",
        "meet.google.com",
        _shape(r"/(?:_meet/)?([a-z]{3}-[a-z]{4}-[a-z]{3})", flags="fold_case"),
        _shape(rf"/(lookup/{ID})"),
    ),
    _row(
        "zoom",
        "zoom.us *.zoom.us zoom.com *.zoom.com zoom.com.cn *.zoom.com.cn *.zoom-x.de *.zoomus.cn",
        # pwd is the passcode, tk a registrant's ticket: without them the link stops at a form.
        _shape(r"/(?:j|s|w|wc/join|launch/jc)/(\d{3,13})", keep="pwd tk"),
        _shape(r"/wc/(\d{3,13})(?:/(?:join|start))?", keep="pwd tk"),
        _shape(rf"/(my/{NAME})", keep="pwd", flags="fold_case"),
        _shape(r"/(ejl?/[\w~-]{8,400})", hosts="events.zoom.us"),
    ),
    _row(  # a separate cloud: its numbers are not Zoom's
        "zoomgov",
        "zoomgov.com *.zoomgov.com",
        _shape(r"/(?:j|s|w|wc/join)/(\d{3,13})", keep="pwd tk"),
        _shape(r"/wc/(\d{3,13})/join", keep="pwd tk"),
        _shape(rf"/(my/{NAME})", keep="pwd", flags="fold_case"),
    ),
    _row(
        "teams",
        " ".join(TEAMS),
        # The message id is 0 in a meeting's own thread; in a channel's thread it tells the meetings apart.
        _shape(r"/l/meetup-join/([^/]{3,400})(?:/(?:0|([1-9]\d{0,20})))?", keep="context"),
        _shape(r"/meet/(\d{5,20})", keep="p"),
        _shape(r"/convene/townhall", room="eventId", keep="sessionId"),
    ),
    _row(
        "webex",
        "webex.com *.webex.com",
        _shape(rf"/(?:meet|join)/({NAME})", flags="per_host fold_case"),
        _shape(r"(?:/[\w.-]+)?(?:/[\w.-]+)?/j\.php", room="MTID", keep="PW"),
        _shape(
            rf"/(?:wbxmjs/joinservice|webappng)/sites/[\w.-]+/meeting/(?:download|info)/({ID})", keep="siteurl MTID"
        ),
        _shape(rf"/m/({UUID})"),
    ),
    _row(
        "goto_meeting",
        "gotomeeting.com *.gotomeeting.com",
        _shape(r"/(?:join|meeting/join|meet)/(\d{5,12})"),
        _shape(r"/", room="meetingId", hosts="app.gotomeeting.com"),
        _shape(r"/meeting/(\d{5,12})", hosts="app.goto.com"),
        _shape(r"/(?:meet/)?(\d{5,12})", hosts="meet.goto.com"),
        _shape(rf"/(?:meet/)?({ID})", hosts="meet.goto.com gotomeet.me www.gotomeet.me", flags="vanity fold_case"),
    ),
    _row(
        "goto_webinar",
        "gotowebinar.com *.gotowebinar.com",
        _shape(r"/(?:join|pjoin|eojoin|webinar/join)/(\d{5,25})(?:/\d{1,25})?"),
    ),
    # --- general video services ------------------------------------------------------------------------------------
    _row(
        "whereby",
        "whereby.com www.whereby.com *.whereby.com appear.in",
        _shape(rf"/({ID})", flags="per_host vanity fold_case"),
    ),
    _row(
        "jitsi",
        "meet.jit.si beta.meet.jit.si alpha.jitsi.net framatalk.org meet.ffmuc.net",
        # Any word is a room here, "demo" and "test" too; a dot is a file.
        _shape(rf"/({NO_DOT})", keep="jwt", flags="per_host fold_case"),
        _shape(rf"/({NO_DOT})", hosts="jitsi.*", keep="jwt", flags="per_host fold_case conference_only"),
    ),
    _row("jitsi_8x8", "8x8.vc", _shape(rf"/({NAME}/{NAME})", keep="jwt", flags="vanity fold_case")),
    _row("around", "around.co meet.around.co www.around.co", _shape(rf"/r/({ID})")),
    _row("chime", "chime.aws app.chime.aws", _shape(r"/(?:meetings/)?(\d{4,15})"), _shape(rf"/meetings/({ID})")),
    _row(
        "bluejeans",
        "bluejeans.com *.bluejeans.com",
        _shape(r"/(\d{5,15})(?:/(?:\d{4,8}|webrtc|browser))?"),
        _shape(rf"/a2m/(live-event/{ID})"),
    ),
    _row(
        "ringcentral",
        "v.ringcentral.com meetings.ringcentral.com",
        _shape(rf"/(?:join|j|w|conf/on)/({ID})", keep="pw pwd"),
    ),
    _row(
        "ringcentral_events",
        "hopin.com app.hopin.com events.ringcentral.com",
        _shape(rf"/events/({ID})(?:/reception|/stages|/sessions)?", keep="code"),
    ),
    _row("slack", "app.slack.com", _shape(r"/huddle/([A-Z0-9]{6,20}/[A-Z0-9]{6,20})")),
    _row(
        "discord",
        "discord.com *.discord.com discordapp.com",
        _shape(rf"/invite/({ID})"),
        _shape(r"/(?:channels|events)/(\d{10,25}/\d{10,25})"),
        _shape(rf"/({ID})", hosts="discord.gg"),
    ),
    _row(
        "gather",
        "app.gather.town gather.town app.v2.gather.town",
        _shape(rf"/app/([\w-]+(?:/{NAME})?)", keep="spawnToken meeting"),
    ),
    _row("livestorm", "app.livestorm.co app.livestorm.com", _shape(rf"/p/({ID})(?:/live)?", keep="s")),
    _row("dialpad", "meetings.dialpad.com", _shape(rf"/room/({ID})"), _shape(rf"/({ID})", flags="vanity")),
    _row(
        "uberconference",
        "uberconference.com www.uberconference.com",
        _shape(rf"/(?:room/)?({ID})", flags="vanity"),
    ),
    _row("lifesize", "call.lifesizecloud.com guest.lifesize.com", _shape(r"/(?:extension/)?(\d{3,15})")),
    _row("starleaf", "meet.starleaf.com", _shape(r"/(\d{4,15})(?:/app)?")),
    _row("vonage", "meetings.vonage.com", _shape(r"/(\d{6,12})"), _shape(r"/", room="room_token")),
    _row(
        "zoho_meeting",
        ZOHO,
        _shape(r"/(?:meeting/)?join", room="key"),
        _shape(r"/meeting/public/\w+", room="key"),
        _shape(rf"/(?:meeting/)?(?:join|room)/({ID})"),
        _shape(r"/([\w-]{6,60})", hosts=" ".join(h for h in ZOHO.split() if h.startswith("meet.")), flags="vanity"),
    ),
    _row("zoho_cliq", "cliq.zoho.com cliq.zoho.eu cliq.zoho.in", _shape(rf"/meetings/({ID})")),
    _row("clickmeeting", "*.clickmeeting.com", _shape(rf"/({ID})", flags="tenant fold_case")),
    _row("tuple", "tuple.app production.tuple.app", _shape(rf"/c/({ID})")),
    _row("pop", "pop.com", _shape(rf"/j/({ID})")),
    _row("coscreen", "join.coscreen.co", _shape(rf"/({ID}/{ID})")),
    _row("skype", "join.skype.com", _shape(rf"/(?:invite/)?({ID})", flags="vanity")),
    _row(
        "skype_for_business",
        "meet.lync.com",
        _shape(r"/([\w.-]+/[\w.-]+/[A-Z0-9]{5,12})"),
        # Self-hosted servers: meet.<company>/<user>/<conference id>, the id upper case with a digit in it.
        _shape(r"/([\w.-]+/(?-i:(?=[A-Z]*\d)[A-Z0-9]{6,10}))", hosts="meet.*", flags="per_host"),
    ),
    _row("facetime", "facetime.apple.com", _shape(r"/join#v=\d+&p=([\w-]+)&k=[\w-]+", flags="fragment")),
    _row("whatsapp", "call.whatsapp.com", _shape(rf"/((?:video|voice)/{ID})")),
    _row("signal", "signal.link", _shape(r"/call#key=([a-z-]{10,80})", flags="fragment")),
    _row("proton_meet", "meet.proton.me", _shape(r"/join/(id-\w+)(?:#pwd-[\w-]+)?", flags="fragment")),
    _row("brave_talk", "talk.brave.com", _shape(r"/([\w-]{43})")),
    _row("pumble", "meet.pumble.com", _shape(r"/([a-z]{3}-[a-z]{4}-[a-z]{3})", flags="fold_case")),
    _row("workplace", "workplace.com *.workplace.com", _shape(r"/groupcall/([\w:%-]+)", keep="token")),
    _row("join_me", "join.me www.join.me", _shape(rf"/({NAME})", flags="vanity fold_case")),
    _row("teamviewer", "go.teamviewer.com go.blizz.com", _shape(r"/(?:v\d{1,2}/)?(m[\d-]{5,20})")),
    _row("freeconferencecall", "join.freeconferencecall.com", _shape(rf"/({ID})", flags="vanity fold_case")),
    _row("avaya_spaces", "spaces.avayacloud.com", _shape(r"/spaces/(?:invites/)?([0-9a-f]{24})")),
    _row("kmeet", "kmeet.infomaniak.com", _shape(rf"/({ID})", flags="fold_case")),
    _row("daily", "*.daily.co", _shape(rf"/({ID})", keep="t", flags="tenant")),
    _row("digital_samba", "*.digitalsamba.com", _shape(rf"/({ID})", keep="token", flags="tenant")),
    _row("livekit_meet", "meet.livekit.io", _shape(rf"/rooms/({ID})(?:#[\w%-]{{1,200}})?", flags="fragment")),
    _row(
        "element_call",
        "call.element.io",
        _shape(rf"(?:/|/room)#/({NAME})(?:\?[\w.~%&=+:/-]{{0,800}})?", flags="fragment"),
        _shape(rf"/({NAME})", flags="vanity"),
    ),
    _row("cal_video", "app.cal.com app.cal.eu", _shape(rf"/video/({ID})")),
    _row("vowel", "vowel.com app.vowel.com", _shape(rf"/#/g/({NAME})", flags="fragment")),
    _row(
        "mirotalk",
        "p2p.mirotalk.com sfu.mirotalk.com",
        _shape(rf"/join/({ID})", flags="per_host"),
        _shape(r"/join", room="room", keep="roomPassword", flags="per_host"),
    ),
    _row("opentalk", "meet.opentalk.eu", _shape(rf"/room/({UUID})", keep="invite")),
    _row("ping", "ping.gg www.ping.gg", _shape(rf"/call/({ID})")),
    # --- public services and Europe ----------------------------------------------------------------------------------
    _row(
        "visio_numerique",
        "visio.numerique.gouv.fr visio.suite.anct.gouv.fr",
        _shape(r"/([a-z]{3}-[a-z]{4}-[a-z]{3})", flags="per_host fold_case"),
    ),
    # Its rooms have ten characters and more, three digits among them.
    _row(
        "webconf_numerique",
        "webconf.numerique.gouv.fr",
        _shape(r"/((?=(?:[a-z]*\d){3})[a-z\d]{10,200})", flags="fold_case"),
    ),
    _row(
        "webinaire_numerique",
        "webinaire.numerique.gouv.fr",
        _shape(r"/meeting/signin/(?:invite/|moderateur/)?(\d{1,12})(?:/creator/\d{1,12})?/hash/[0-9a-f]{40}"),
    ),
    _row(
        "renater_rendez_vous", "rendez-vous.renater.fr", _shape(rf"/({NO_DOT})", keep="jwt", flags="vanity fold_case")
    ),
    _row(
        "senfcall",
        "lecture.senfcall.de",
        _shape(r"/(\w{3}-\w{3}-\w{3}(?:-\w{3})?)", flags="per_host"),
        _shape(rf"/({ID})", hosts="public.senfcall.de", flags="per_host vanity"),
    ),
    _row("alfaview", "app.alfaview.com", _shape(rf"/?#/join/({ID}/{UUID}/{UUID})", flags="fragment")),
    _row("edudip", "www.edudip.com next.edudip.com edudip.com", _shape(r"/[a-z]{2}/webinar/[\w-]{1,200}/(\d{3,12})")),
    # --- servers people run themselves: the path must be unmistakable ------------------------------------------------
    _row(
        "bigbluebutton",
        "*",
        _shape(r"/(?:gl/)?b/(\w{3}-\w{3}-\w{3}(?:-\w{3})?)", flags="per_host"),  # Greenlight 2
        _shape(r"/rooms/(\w{3}-\w{3}-\w{3}(?:-\w{3})?)/join", flags="per_host"),  # Greenlight 3
        _shape(r"/bigbluebutton/api/join", room="meetingID", keep="*", flags="per_host"),
        _shape(rf"/(?:gl/)?b/({NAME})", flags="per_host conference_only"),
        _shape(rf"/rooms/({NAME})/join", flags="per_host conference_only"),
    ),
    _row(
        "nextcloud_talk",
        "*",
        _shape(r"/index\.php/call/([a-z0-9]{6,32})", flags="per_host"),
        _shape(r"/call/([a-z0-9]{8,32})", hosts="cloud.* nextcloud.* nc.* talk.*", flags="per_host"),
    ),
    _row(
        "pexip",
        "*",
        _shape(rf"/webapp/conference/({NAME})", keep="pin", flags="per_host"),
        _shape(rf"/webapp\d?/m/({NAME})(?:/step-by-step)?", keep="pin", flags="per_host"),
        _shape(rf"/meet/({NAME})", hosts="pexip.me *.pexip.me", flags="per_host"),
    ),
    _row("cisco_meeting_server", "*", _shape(r"/invited\.sf", room="id", keep="secret", flags="per_host")),
    # --- Asia and Russia -------------------------------------------------------------------------------------------
    _row("feishu", "vc.feishu.cn *.feishu.cn", _shape(r"/j/(\d{6,15})")),
    _row("lark", "vc.larksuite.com *.larksuite.com", _shape(r"/j/(\d{6,15})")),
    _row("tencent_meeting", "meeting.tencent.com", _shape(rf"/(?:dm|p|s|l)/({ID})", keep="pwd")),
    _row("voov", "voovmeeting.com www.voovmeeting.com", _shape(rf"/(?:dm|p|s|l|r)/({ID})", keep="pwd")),
    _row("dingtalk", "meeting.dingtalk.com", _shape(rf"/j/({ID})"), _shape(r"/app", room="roomCode", keep="token")),
    _row("zhumu", "welink.zhumu.com", _shape(r"/(?:j|wc/join)/(\d{6,15})", keep="pwd wpk")),
    _row(
        "ovice",
        "*.ovice.in",
        _shape(r"/(?:lobby/enter|@[\d,]+)?", flags="tenant"),
        _shape(rf"/({ID})(?:/@[\d,]+)?", hosts="app.ovice.com", flags="vanity"),
    ),
    _row(
        "telemost",
        "telemost.yandex.ru telemost.yandex.com telemost.360.yandex.ru",
        _shape(rf"/j/({ID})"),
    ),
    _row("vk_calls", "vk.com vk.ru m.vk.com m.vk.ru", _shape(rf"/call/join/({ID})")),
    _row(
        "sber_jazz",
        "jazz.sber.ru salutejazz.ru",
        _shape(rf"/#/calls/({ID})(?:\?psw=[\w-]+)?", flags="fragment"),
        _shape(rf"/(?:calls?/)?({ID})", keep="psw", flags="vanity"),
    ),
    _row("ktalk", "*.ktalk.ru", _shape(r"/(?:room/|event/)?([\w-]{4,80})", flags="tenant")),
    _row(
        "mts_link",
        "my.mts-link.ru events.webinar.ru",
        _shape(r"/(?:j/)?([\w-]+/\d{3,20})", flags="vanity"),
    ),
    # --- webinars, virtual offices, recording studios ----------------------------------------------------------------
    _row("demio", "event.demio.com", _shape(rf"/(?:ref|join|j)/({ID})")),
    _row("butter", "app.butter.us", _shape(rf"/({ID}(?:/{ID})?)", flags="vanity")),
    _row("kumospace", "kumospace.com www.kumospace.com app.kumospace.com", _shape(rf"/({ID})", flags="vanity")),
    _row("spatialchat", "spatial.chat app.spatial.chat", _shape(rf"/s/({ID})", keep="room")),
    _row("airmeet", "airmeet.com *.airmeet.com", _shape(rf"/(?:e|event)/({UUID})")),
    _row("remo", "live.remo.co", _shape(rf"/e/({ID})")),
    _row("streamyard", "streamyard.com www.streamyard.com", _shape(r"/(?:guest/)?([a-z0-9]{8,13})", flags="vanity")),
    _row("riverside", "riverside.fm riverside.com www.riverside.fm", _shape(rf"/studio/({ID})", keep="t")),
    _row("crowdcast", "crowdcast.io www.crowdcast.io", _shape(rf"/[ec]/({ID})")),
    _row("luma", "lu.ma luma.com", _shape(rf"/join/({ID})", keep="pk")),
    _row("meetecho", "meetings.conf.meetecho.com", _shape(rf"/({ID})", room="session")),
    _row(
        "adobe_connect",
        "*.adobeconnect.com",
        # p0abc1234567 is a recording, not a room.
        _shape(rf"/(?!p(?=\w*\d)\w{{9,13}}$)({ID})", flags="tenant fold_case"),
    ),
    _row(
        "blackboard",
        "*.bbcollab.com",
        _shape(r"/(?:guest|invite|launch)/([\w.-]{8,400})"),
        _shape(r"/collab/ui/session/(?:guest|join)/([\w.-]{8,400})"),
    ),
    _row("teemyco", "app.teemyco.com", _shape(rf"/room/({ID}(?:/{ID})?)")),
    # --- care, teaching, sales ---------------------------------------------------------------------------------------
    _row("doxy", "doxy.me *.doxy.me", _shape(r"/([\w.-]{2,80})", flags="per_host vanity fold_case")),
    _row("vsee", "*.vsee.me vsee.com", _shape(rf"/[uc]/({ID})", flags="per_host")),
    _row("simplepractice", "video.simplepractice.com", _shape(r"/(appt-[0-9a-f]{8,64})")),
    _row("preply", "preply.com www.preply.com", _shape(r"/(?:\w{2}/)?chat/t-room/(\d{3,15})")),
    _row("demodesk", "demodesk.com", _shape(r"/(?-i:([A-Z0-9]{8}))")),
    _row("gong", "join.gong.io *.join.gong.io", _shape(rf"/({NAME}/{NAME})")),
    _row("chorus", "go.chorus.ai", _shape(rf"/({ID})", flags="vanity")),
    # --- links of schedulers that redirect into the meeting ----------------------------------------------------------
    _row(
        "calendly",
        "calendly.com",
        _shape(rf"/events/({ID})/(?:google_meet|microsoft_teams|zoom\w*|webex\w*|gotomeeting\w*)"),
    ),
    _row("reclaim", "reclaim.ai app.reclaim.ai", _shape(rf"/z/({ID}(?:/{ID})?)")),
)

# Names that are pages of a service, never a room someone named.
RESERVED_SEGMENTS = frozenset(
    _words("""
        about account accounts admin affiliates api app apps assets auth billing blog browser business calls
        careers cdn changelog community company compliance contact contact-us cookies customers dashboard de
        demo developer developers dialin discover docs download downloads en enterprise error es events explore
        faq favicon features forgot-password fr get-started guide guides help home images index info information
        install integrations international invite it ja jobs join language learn legal login logout media
        meetings mobile new news openerbinaries openers partners password plans platform policies policy press
        pricing privacy product products profile pt recording recordings redirect register registration
        resources room rooms sales search security settings setup sign-in sign-up signin signup sitemap
        solutions start static status stories subscribe subscription support system-check team teams
        teleconference templates terms test tos trial tutorial tutorials unsubscribe update user users watch
        webinars why widget
    """)
)

# First host labels that belong to the service itself on hosts of the form <customer>.<service>.
RESERVED_LABELS = frozenset(
    _words("""
        about account admin api app apps assets auth billing blog cdn community content dashboard demos dev
        developer developers docs download downloads events faq forum help info kb knowledge learn login mail
        media my news press promo sandbox sso static stats status support test web www
    """)
)

ZOOM_PAGES = _words("/u/ /join /start /test /download /client /zoomconference /meeting/register /webinar/register")
# Pages a video entry point may carry that nobody joins by: (host pattern, start of the path).
NOT_JOIN_PAGES: tuple[tuple[str, str], ...] = (
    ("tel.meet", "/"),
    ("meet.google.com", "/tel"),
    ("support.google.com", "/"),
    ("support.zoom.us", "/"),
    ("support.zoom.com", "/"),
    *((host, path) for host in ("zoom.us", "*.zoom.us", "zoom.com", "*.zoom.com") for path in ZOOM_PAGES),
    ("dialin.teams.microsoft.com", "/"),
    ("dialin.*", "/"),
    ("aka.ms", "/"),
    ("support.microsoft.com", "/"),
    *((host, "/meetingoptions") for host in TEAMS),
    ("help.webex.com", "/"),
    ("*.webex.com", "/cmp3300"),
    ("*.webex.com", "/webappng/sites"),
)
NOT_JOIN_FILES = ("globalcallin.php", "tollfree.php", "test-meeting.html")
