"""Links as services publish them, as a table: one line per form, with where the form was seen.

Sources: `docs` the service's public documentation; `meetingbar` github.com/leits/MeetingBar's corpus of links its
users reported; `observed` public invitations and repositories; `brief` the project's own list.
"""

from __future__ import annotations

from urllib.parse import quote

import pytest

from sync.core.links.meeting_link import LinkSources
from sync.core.links.meeting_url import find_meeting_link
from sync.core.links.providers import PROVIDERS

THREAD = "19%3ameeting_ZmFrZXRocmVhZA%40thread.v2"
CONTEXT = "context=%7b%22Tid%22%3a%22aaaa%22%2c%22Oid%22%3a%22bbbb%22%7d"
HEX = "0123456789abcdef0123456789abcdef"
# {"conversationId":"19:meeting_Zm@thread.v2","tenantId":"aaaa","organizerId":"bbbb","messageId":"0"}
COORDS = (
    "eyJjb252ZXJzYXRpb25JZCI6IjE5Om1lZXRpbmdfWm1AdGhyZWFkLnYyIiwidGVuYW50SWQiOiJhYWFhIiwib3JnYW5pemVySWQiOiJiYmJiIiwi"
    "bWVzc2FnZUlkIjoiMCJ9"
)
# {"meetingCode":"9425716001426","passcode":"Nqcc5j3c06"}
LIVE_COORDS = "eyJtZWV0aW5nQ29kZSI6Ijk0MjU3MTYwMDE0MjYiLCJwYXNzY29kZSI6Ik5xY2M1ajNjMDYifQ"
UID = "83b2a350-4289-11ef-9228-2f1bf88c8b08"

# (source, link as written without https://, room key, canonical link without https:// or "" when it stays as written)
JOIN_LINKS: list[tuple[str, str, str, str]] = [
    # Google Meet
    ("docs", "meet.google.com/abc-defg-hij", "google_meet:abc-defg-hij", ""),
    ("observed", "meet.google.com/ABC-DEFG-HIJ", "google_meet:abc-defg-hij", "meet.google.com/abc-defg-hij"),
    (
        "observed",
        "meet.google.com/abc-defg-hij?authuser=1&hs=122",
        "google_meet:abc-defg-hij",
        "meet.google.com/abc-defg-hij",
    ),
    (
        "meetingbar",
        "meet.google.com/_meet/abc-defg-hij?pli=1",
        "google_meet:abc-defg-hij",
        "meet.google.com/_meet/abc-defg-hij",
    ),
    (
        "observed",
        "meet.google.com/lookup/ab3cde5fgh?authuser=0",
        "google_meet:lookup/ab3cde5fgh",
        "meet.google.com/lookup/ab3cde5fgh",
    ),
    ("docs", "g.co/meet/abc-defg-hij", "google_meet:abc-defg-hij", "meet.google.com/abc-defg-hij"),
    ("docs", "g.co/meet/standup?hs=122", "google_meet:lookup/standup", "meet.google.com/lookup/standup"),
    # Zoom
    ("brief", "zoom.us/j/123", "zoom:123", ""),
    (
        "observed",
        "zoom.us/join?action=join&confno=84911425787&pwd=VVNr%2Bc.1&uname=Al",
        "zoom:84911425787",
        "zoom.us/j/84911425787?pwd=VVNr%2Bc.1",
    ),
    ("observed", "us02web.zoom.us/join?confno=84911425787", "zoom:84911425787", "us02web.zoom.us/j/84911425787"),
    (
        "observed",
        "www.zoomgov.com/join?confno=1612345678&tk=t.1",
        "zoomgov:1612345678",
        "www.zoomgov.com/j/1612345678?tk=t.1",
    ),
    ("docs", "us02web.zoom.us/j/84911425787?pwd=VVNrcFdvMkZz.1", "zoom:84911425787", ""),
    (
        "observed",
        "acme.zoom.us/j/84911425787?pwd=x1&omn=99&uname=Al",
        "zoom:84911425787",
        "acme.zoom.us/j/84911425787?pwd=x1",
    ),
    ("observed", "zoom.us/j/84911425787?pwd=x1#success", "zoom:84911425787", "zoom.us/j/84911425787?pwd=x1"),
    ("observed", "zoom.us/j/84911425787/", "zoom:84911425787", "zoom.us/j/84911425787"),
    ("observed", "acme-corp.zoom.com/j/84911425787", "zoom:84911425787", ""),
    ("docs", "us06web.zoom.us/w/84911425787?tk=abc.def&pwd=q", "zoom:84911425787", ""),
    ("docs", "us06web.zoom.us/s/84911425787?zak=secret", "zoom:84911425787", "us06web.zoom.us/s/84911425787"),
    ("observed", "app.zoom.us/wc/84335626851/join?pwd=abc", "zoom:84335626851", ""),
    ("observed", "zoom.us/wc/join/84335626851?wpk=1", "zoom:84335626851", "zoom.us/wc/join/84335626851"),
    ("docs", "acme.zoom.us/my/Alice.Smith?pwd=1", "zoom:my/alice.smith", "acme.zoom.us/my/alice.smith?pwd=1"),
    (
        "observed",
        "events.zoom.us/ejl/AuK2GHiGErlhKuJWYRGND-S4fQ~A2Qw5SE",
        "zoom:ejl/AuK2GHiGErlhKuJWYRGND-S4fQ~A2Qw5SE",
        "",
    ),
    ("meetingbar", "any-client.zoom-x.de/j/65194487075", "zoom:65194487075", ""),
    ("observed", "zoom.com.cn/j/123456789", "zoom:123456789", ""),
    ("docs", "acme.zoomgov.com/j/1612345678?pwd=k", "zoomgov:1612345678", ""),
    # Teams
    (
        "docs",
        f"teams.microsoft.com/l/meetup-join/{THREAD}/0?{CONTEXT}",
        "teams:19:meeting_ZmFrZXRocmVhZA@thread.v2",
        "",
    ),
    (
        "observed",
        f"teams.microsoft.com/l/meetup-join/{THREAD}/0?{CONTEXT}&anon=true&deeplinkId=7",
        "teams:19:meeting_ZmFrZXRocmVhZA@thread.v2",
        f"teams.microsoft.com/l/meetup-join/{THREAD}/0?{CONTEXT}",
    ),
    (
        "observed",
        "teams.microsoft.com/l/meetup-join/19:meeting_ZmFrZXRocmVhZA@thread.v2/0",
        "teams:19:meeting_ZmFrZXRocmVhZA@thread.v2",
        "",
    ),
    (
        "observed",
        f"teams.microsoft.com/l/meetup-join/19%3aabc%40thread.tacv2/1600000000000?{CONTEXT}",
        "teams:19:abc@thread.tacv2/1600000000000",
        "",
    ),
    ("observed", "teams.microsoft.com/l/meetup-join/19%3a1", "teams:19:1", ""),
    ("docs", "teams.microsoft.com/meet/1234567890123?p=Aa1Bb2Cc3Dd4Ee5", "teams:1234567890123", ""),
    (
        "meetingbar",
        "teams.microsoft.com/meet/1234567890123?p=Aa1&anon=true",
        "teams:1234567890123",
        "teams.microsoft.com/meet/1234567890123?p=Aa1",
    ),
    ("observed", "teams.live.com/meet/9425716001426?p=Nqcc5j3c06", "teams:9425716001426", ""),
    ("observed", "teams.cloud.microsoft/meet/12345", "teams:12345", ""),
    (
        "observed",
        "gov.teams.microsoft.us/l/meetup-join/19%3agcch%3ameeting_fc2077%40thread.v2/0",
        "teams:19:gcch:meeting_fc2077@thread.v2",
        "",
    ),
    (
        "observed",
        "dod.teams.microsoft.us/l/meetup-join/19%3adod%3ameeting_027b8f%40thread.v2/0",
        "teams:19:dod:meeting_027b8f@thread.v2",
        "",
    ),
    ("meetingbar", "teams.microsoft.us/meet/1234567890123?p=Aa1", "teams:1234567890123", ""),
    (
        "docs",
        "teams.microsoft.com/convene/townhall?eventId=e1&sessionId=s1&x=1",
        "teams:e1",
        "teams.microsoft.com/convene/townhall?eventId=e1&sessionId=s1",
    ),
    (
        "observed",
        f"teams.microsoft.com/light-meetings/launch?agent=web&version=25&coords={COORDS}%3D&deeplinkId=0ac0",
        "teams:19:meeting_Zm@thread.v2",
        "teams.microsoft.com/l/meetup-join/19%3Ameeting_Zm%40thread.v2/0"
        "?context=%7B%22Tid%22%3A%22aaaa%22%2C%22Oid%22%3A%22bbbb%22%7D",
    ),
    (
        "observed",
        f"teams.live.com/light-meetings/launch?coords={LIVE_COORDS}",
        "teams:9425716001426",
        "teams.live.com/meet/9425716001426?p=Nqcc5j3c06",
    ),
    # Webex
    ("docs", "acme.webex.com/meet/Alice.Smith", "webex:acme.webex.com/alice.smith", "acme.webex.com/meet/alice.smith"),
    ("docs", "acme.webex.com/join/alice", "webex:acme.webex.com/alice", ""),
    ("docs", "acme.webex.com/acme/j.php?MTID=m0123abc", "webex:m0123abc", ""),
    (
        "meetingbar",
        "yourmeetingsite.webex.com/yourbusinessID/j.php?MTID=aO5678eFGH&x=1",
        "webex:aO5678eFGH",
        "yourmeetingsite.webex.com/yourbusinessID/j.php?MTID=aO5678eFGH",
    ),
    ("observed", "acme.webex.com/acme-en/k2/j.php?MTID=t42", "webex:t42", ""),
    (
        "docs",
        f"example.webex.com/wbxmjs/joinservice/sites/example/meeting/download/{HEX}?siteurl=example&integrationJoinToken=Q",
        f"webex:{HEX}",
        f"example.webex.com/wbxmjs/joinservice/sites/example/meeting/download/{HEX}?siteurl=example",
    ),
    ("observed", f"hongik.webex.com/webappng/sites/hongik/meeting/download/{HEX}", f"webex:{HEX}", ""),
    ("observed", f"acme.webex.com/m/{HEX}", f"webex:{HEX}", ""),
    # GoTo
    ("docs", "global.gotomeeting.com/join/680504437", "goto_meeting:680504437", ""),
    ("docs", "meet.goto.com/119227189", "goto_meeting:119227189", ""),
    ("observed", "app.gotomeeting.com/?meetingId=119227189", "goto_meeting:119227189", ""),
    ("observed", "app.goto.com/meeting/957100141", "goto_meeting:957100141", ""),
    ("docs", "gotomeet.me/AliceSmith", "goto_meeting:alicesmith", "gotomeet.me/alicesmith"),
    ("docs", "global.gotowebinar.com/join/123456789/987654321", "goto_webinar:123456789", ""),
    # general
    ("docs", "whereby.com/acme-standup?embed", "whereby:whereby.com/acme-standup", "whereby.com/acme-standup"),
    ("docs", "acme.whereby.com/room-1", "whereby:acme.whereby.com/room-1", ""),
    (
        "docs",
        "meet.jit.si/WeeklyStandup#config.prejoin=false",
        "jitsi:meet.jit.si/weeklystandup",
        "meet.jit.si/weeklystandup",
    ),
    ("observed", "meet.ffmuc.net/demo", "jitsi:meet.ffmuc.net/demo", ""),
    ("docs", "8x8.vc/acme/standup", "jitsi_8x8:acme/standup", ""),
    ("meetingbar", "meet.around.co/r/kyafvk1b", "around:kyafvk1b", ""),
    ("meetingbar", "around.co/r/kyafvk1b", "around:kyafvk1b", ""),
    ("docs", "chime.aws/1234567890", "chime:1234567890", ""),
    ("observed", "app.chime.aws/meetings/1234567890", "chime:1234567890", ""),
    ("docs", "bluejeans.com/123456789/1234", "bluejeans:123456789", ""),
    ("observed", "acme.bluejeans.com/123456789", "bluejeans:123456789", ""),
    (
        "observed",
        "v.ringcentral.com/join/315564510467?pw=18c0ddcb&x=1",
        "ringcentral:315564510467",
        "v.ringcentral.com/join/315564510467?pw=18c0ddcb",
    ),
    ("docs", "meetings.ringcentral.com/j/1234567890", "ringcentral:1234567890", ""),
    ("observed", "hopin.com/events/hack-the-6ix-2022?code=x251", "ringcentral_events:hack-the-6ix-2022", ""),
    ("observed", "events.ringcentral.com/events/gitops-con", "ringcentral_events:gitops-con", ""),
    ("meetingbar", "app.slack.com/huddle/T01ABCDEFGH/C02ABCDEFGH", "slack:T01ABCDEFGH/C02ABCDEFGH", ""),
    ("docs", "discord.gg/AbCdEf", "discord:AbCdEf", ""),
    ("docs", "discord.com/invite/AbCdEf", "discord:AbCdEf", ""),
    (
        "docs",
        "discord.com/channels/123456789012345678/223456789012345678",
        "discord:123456789012345678/223456789012345678",
        "",
    ),
    ("meetingbar", "app.gather.town/app/1a2S3d4F5G/1a2S-3d%204F?spawnToken=1a2S", "gather:1a2S3d4F5G/1a2S-3d 4F", ""),
    ("meetingbar", "app.livestorm.com/p/cc113fd5-5de1/live?s=0231a8fb", "livestorm:cc113fd5-5de1", ""),
    ("observed", "meetings.dialpad.com/room/aicallers", "dialpad:aicallers", ""),
    ("docs", "www.uberconference.com/room/alice", "uberconference:alice", ""),
    ("observed", "call.lifesizecloud.com/3461784", "lifesize:3461784", ""),
    ("docs", "meet.starleaf.com/4123456789", "starleaf:4123456789", ""),
    ("meetingbar", "meetings.vonage.com/123456789", "vonage:123456789", ""),
    (
        "docs",
        "meetings.vonage.com/?room_token=123456789&em=x",
        "vonage:123456789",
        "meetings.vonage.com/?room_token=123456789",
    ),
    ("docs", "meeting.zoho.com/join?key=1083545&t=9", "zoho_meeting:1083545", "meeting.zoho.com/join?key=1083545"),
    ("observed", "meeting.zoho.com/meeting/join/AB12CD", "zoho_meeting:AB12CD", ""),
    ("docs", "meet.zoho.eu/AbC-DeF-123", "zoho_meeting:AbC-DeF-123", ""),
    ("meetingbar", "cliq.zoho.eu/meetings/alsfsma213", "zoho_cliq:alsfsma213", ""),
    ("observed", "yourlogin.clickmeeting.com/webinar-name", "clickmeeting:yourlogin.clickmeeting.com/webinar-name", ""),
    ("meetingbar", "tuple.app/c/V1StGXR8_Z5jdHi6B", "tuple:V1StGXR8_Z5jdHi6B", ""),
    ("meetingbar", "pop.com/j/810-218-630", "pop:810-218-630", ""),
    ("meetingbar", "join.coscreen.co/Eng-Leads/95RyHqtzn7EoQjQ19ju3", "coscreen:Eng-Leads/95RyHqtzn7EoQjQ19ju3", ""),
    ("docs", "join.skype.com/AbCdEfGh1234", "skype:AbCdEfGh1234", ""),
    ("docs", "meet.lync.com/contoso.com/alice/ABC12345", "skype_for_business:contoso.com/alice/ABC12345", ""),
    (
        "meetingbar",
        "facetime.apple.com/join#v=1&p=AeVKu1rGEeyppwJC8kftBg&k=FrCNneouFgL26VdnDit78W",
        "facetime:AeVKu1rGEeyppwJC8kftBg",
        "",
    ),
    ("observed", "call.whatsapp.com/video/4TTXpaqkz2LuMiN7rPjYAw", "whatsapp:video/4TTXpaqkz2LuMiN7rPjYAw", ""),
    (
        "observed",
        "signal.link/call/#key=rkdp-mzpg-xhts-dsqp-sfqx-bbbt-gbpb-qfqx",
        "signal:rkdp-mzpg-xhts-dsqp-sfqx-bbbt-gbpb-qfqx",
        "",
    ),
    ("meetingbar", "meet.proton.me/join/id-FRMQ717ZMW#pwd-GoslDQl8D7mu", "proton_meet:id-FRMQ717ZMW", ""),
    (
        "meetingbar",
        "meet.proton.me/join/id-FRMQ717ZMW?ref=calendar",
        "proton_meet:id-FRMQ717ZMW",
        "meet.proton.me/join/id-FRMQ717ZMW",
    ),
    ("docs", "talk.brave.com/" + "a" * 43, "brave_talk:" + "a" * 43, ""),
    ("meetingbar", "meet.pumble.com/vly-hggs-xsn", "pumble:vly-hggs-xsn", ""),
    ("meetingbar", "workplace.com/groupcall/123456?token=abc", "workplace:123456", ""),
    ("docs", "join.me/123-456-789", "join_me:123-456-789", ""),
    ("docs", "go.teamviewer.com/v15/m12345678", "teamviewer:m12345678", ""),
    ("docs", "join.freeconferencecall.com/alice7", "freeconferencecall:alice7", ""),
    ("observed", "spaces.avayacloud.com/spaces/63dc43746489f073ae069fca", "avaya_spaces:63dc43746489f073ae069fca", ""),
    ("observed", "kmeet.infomaniak.com/lvqx-ozai-jeae-zdnd", "kmeet:lvqx-ozai-jeae-zdnd", ""),
    ("docs", "acme.daily.co/standup?t=tok&utm=1", "daily:acme.daily.co/standup", "acme.daily.co/standup?t=tok"),
    ("docs", "acme.digitalsamba.com/room1", "digital_samba:acme.digitalsamba.com/room1", ""),
    ("meetingbar", "meet.livekit.io/rooms/et5r-y80t#r56ryirofs8jjf", "livekit_meet:et5r-y80t", ""),
    ("docs", "call.element.io/room/#/callName?password=abc", "element_call:callName", ""),
    ("observed", "call.element.io/eax-test", "element_call:eax-test", ""),
    ("meetingbar", "app.cal.com/video/1de4BmdXEb983kIUHomUnA", "cal_video:1de4BmdXEb983kIUHomUnA", ""),
    ("meetingbar", "vowel.com/#/g/abc123", "vowel:abc123", ""),
    ("docs", "p2p.mirotalk.com/join/room-1", "mirotalk:p2p.mirotalk.com/room-1", ""),
    (
        "docs",
        "sfu.mirotalk.com/join?room=room1&name=al",
        "mirotalk:sfu.mirotalk.com/room1",
        "sfu.mirotalk.com/join?room=room1",
    ),
    ("observed", f"meet.opentalk.eu/room/{UID}?invite=i1", f"opentalk:{UID}", ""),
    ("docs", "www.ping.gg/call/theo", "ping:theo", ""),
    ("docs", "pexip.me/meet/alice", "pexip:pexip.me/alice", ""),
    # public services and Europe
    ("observed", "visio.numerique.gouv.fr/oad-rdxs-tzi", "visio_numerique:visio.numerique.gouv.fr/oad-rdxs-tzi", ""),
    ("docs", "visio.suite.anct.gouv.fr/oad-rdxs-tzi", "visio_numerique:visio.suite.anct.gouv.fr/oad-rdxs-tzi", ""),
    ("observed", "webconf.numerique.gouv.fr/tuweruywe345", "webconf_numerique:tuweruywe345", ""),
    (
        "observed",
        "webconf.numerique.gouv.fr/RdvServicePublic83b2a350",
        "webconf_numerique:rdvservicepublic83b2a350",
        "webconf.numerique.gouv.fr/rdvservicepublic83b2a350",
    ),
    (
        "observed",
        f"webinaire.numerique.gouv.fr/meeting/signin/invite/362/creator/369/hash/{HEX}01234567",
        "webinaire_numerique:362",
        "",
    ),
    (
        "observed",
        f"webinaire.numerique.gouv.fr/meeting/signin/invite/45144/hash/{HEX}01234567",
        "webinaire_numerique:45144",
        "",
    ),
    ("observed", "rendez-vous.renater.fr/isa-build", "renater_rendez_vous:isa-build", ""),
    ("observed", "lecture.senfcall.de/hay-gmh-wox-mru", "senfcall:lecture.senfcall.de/hay-gmh-wox-mru", ""),
    ("observed", "public.senfcall.de/stammtisch", "senfcall:public.senfcall.de/stammtisch", ""),
    (
        "observed",
        f"app.alfaview.com/#/join/hochschule-furtwangen-university/{UID}/{UID}",
        f"alfaview:hochschule-furtwangen-university/{UID}/{UID}",
        "",
    ),
    ("observed", "www.edudip.com/de/webinar/qgis-user-meeting-2020/331482", "edudip:331482", ""),
    ("observed", "next.edudip.com/de/webinar/webinar-nach-upgrade/1777438", "edudip:1777438", ""),
    # Asia, Russia
    ("meetingbar", "vc.feishu.cn/j/123456789", "feishu:123456789", ""),
    ("meetingbar", "vc.larksuite.com/j/123456789", "lark:123456789", ""),
    ("observed", "meeting.tencent.com/dm/z4b5FnLlBX63", "tencent_meeting:z4b5FnLlBX63", ""),
    ("observed", "meeting.tencent.com/p/9606972663", "tencent_meeting:9606972663", ""),
    ("observed", "voovmeeting.com/dm/LngItGq4Ga1L", "voov:LngItGq4Ga1L", ""),
    ("observed", "meeting.dingtalk.com/j/cgTTojEI8Zy", "dingtalk:cgTTojEI8Zy", ""),
    ("docs", "meeting.dingtalk.com/app?roomCode=42726033559&token=1_7ac9", "dingtalk:42726033559", ""),
    ("meetingbar", "welink.zhumu.com/j/154051242?pwd=abc123", "zhumu:154051242", ""),
    ("meetingbar", "universeph-armynight.ovice.in/lobby/enter", "ovice:universeph-armynight.ovice.in", ""),
    ("meetingbar", "app.ovice.com/universeph-armynight/@102,105", "ovice:universeph-armynight", ""),
    ("observed", "telemost.yandex.ru/j/16929976559513", "telemost:16929976559513", ""),
    ("observed", "telemost.360.yandex.ru/j/12345", "telemost:12345", ""),
    ("observed", "vk.com/call/join/0RmWByF5_vpGekgfIwNL", "vk_calls:0RmWByF5_vpGekgfIwNL", ""),
    ("observed", "jazz.sber.ru/zthtbf?psw=OBEDV0APXRVZAQ", "sber_jazz:zthtbf", ""),
    (
        "observed",
        "salutejazz.ru/calls/nlg7d4?psw=OAdbHAcF&x=1",
        "sber_jazz:nlg7d4",
        "salutejazz.ru/calls/nlg7d4?psw=OAdbHAcF",
    ),
    ("observed", "jazz.sber.ru/#/calls/old?psw=Old_123", "sber_jazz:old", ""),
    ("observed", "matrius.ktalk.ru/hpb5rfegc1tl", "ktalk:matrius.ktalk.ru/hpb5rfegc1tl", ""),
    ("observed", "my.mts-link.ru/j/167846474/19645959806", "mts_link:167846474/19645959806", ""),
    # webinars, offices, studios
    ("observed", "event.demio.com/ref/abc123", "demio:abc123", ""),
    ("docs", "app.butter.us/acme/weekly", "butter:acme/weekly", ""),
    ("observed", "www.kumospace.com/fbuyuk", "kumospace:fbuyuk", ""),
    ("observed", "spatial.chat/s/R-Medicine2021?room=231308", "spatialchat:R-Medicine2021", ""),
    ("observed", f"www.airmeet.com/e/{UID}", f"airmeet:{UID}", ""),
    ("observed", "live.remo.co/e/meeting-c-online-job-fair", "remo:meeting-c-online-job-fair", ""),
    ("meetingbar", "streamyard.com/jexample29t", "streamyard:jexample29t", ""),
    (
        "meetingbar",
        "streamyard.com/guest/u6qes7i8cj?utm_source=test",
        "streamyard:u6qes7i8cj",
        "streamyard.com/guest/u6qes7i8cj",
    ),
    ("docs", "riverside.fm/studio/alices-studio?t=abc", "riverside:alices-studio", ""),
    ("observed", "www.crowdcast.io/e/unimelb-event1", "crowdcast:unimelb-event1", ""),
    ("meetingbar", "lu.ma/join/g-abc123?pk=k", "luma:g-abc123", ""),
    (
        "meetingbar",
        "meetings.conf.meetecho.com/ietf122/?session=34071",
        "meetecho:ietf122/34071",
        "meetings.conf.meetecho.com/ietf122?session=34071",
    ),
    (
        "observed",
        "c2educate.adobeconnect.com/sammamish?proto=true",
        "adobe_connect:c2educate.adobeconnect.com/sammamish",
        "c2educate.adobeconnect.com/sammamish",
    ),
    (
        "meetingbar",
        "us.bbcollab.com/guest/C2419D0F68382D351B97376D6B47ABA2",
        "blackboard:C2419D0F68382D351B97376D6B47ABA2",
        "",
    ),
    (
        "meetingbar",
        "app.teemyco.com/room/7HAQH0keHU0uppUKmL7Z/goOvj4BlHSH1IkgOtaA0",
        "teemyco:7HAQH0keHU0uppUKmL7Z/goOvj4BlHSH1IkgOtaA0",
        "",
    ),
    # care, teaching, sales, schedulers
    ("meetingbar", "bbc.doxy.me/dr.who", "doxy:bbc.doxy.me/dr.who", ""),
    ("docs", "clinic.vsee.me/u/walkin", "vsee:clinic.vsee.me/walkin", ""),
    (
        "observed",
        "video.simplepractice.com/appt-485bc95d4f126fadb091e02f240ea244",
        "simplepractice:appt-485bc95d4f126fadb091e02f240ea244",
        "",
    ),
    (
        "meetingbar",
        "preply.com/ua/chat/t-room/3262947?source=email_calendar",
        "preply:3262947",
        "preply.com/ua/chat/t-room/3262947",
    ),
    ("meetingbar", "demodesk.com/NGYLHDWO", "demodesk:NGYLHDWO", ""),
    ("meetingbar", "join.gong.io/mycompany/ryker.morgan", "gong:mycompany/ryker.morgan", ""),
    ("meetingbar", "go.chorus.ai/1234567890", "chorus:1234567890", ""),
    ("observed", "calendly.com/events/12345678-1234-1234/google_meet", "calendly:12345678-1234-1234", ""),
    ("meetingbar", "reclaim.ai/z/T01ABCDEFGH/C02ABCDEFGH", "reclaim:T01ABCDEFGH/C02ABCDEFGH", ""),
]

# Servers people run themselves, on hosts of any name: as above, but nothing to trust in a description.
ANY_HOST_LINKS: list[tuple[str, str, str, str]] = [
    ("docs", "bbb.uni.example.org/b/ali-x2y-z3w", "bigbluebutton:bbb.uni.example.org/ali-x2y-z3w", ""),
    ("docs", "bbb.uni.example.org/rooms/abc-def-ghi-jkl/join", "bigbluebutton:bbb.uni.example.org/abc-def-ghi-jkl", ""),
    (
        "docs",
        "bbb.example.org/bigbluebutton/api/join?fullName=Al&meetingID=m1&password=p&checksum=c",
        "bigbluebutton:bbb.example.org/m1",
        "",
    ),
    ("docs", "cloud.example.org/call/abcd1234", "nextcloud_talk:cloud.example.org/abcd1234", ""),
    ("docs", "files.example.org/index.php/call/abcd1234", "nextcloud_talk:files.example.org/abcd1234", ""),
    (
        "observed",
        "conf.dfn.de/webapp/conference/979113103?name=Al",
        "pexip:conf.dfn.de/979113103",
        "conf.dfn.de/webapp/conference/979113103",
    ),
    (
        "observed",
        "join.iqt.example.org/invited.sf?secret=ea8qp4&id=424374534",
        "cisco_meeting_server:join.iqt.example.org/424374534",
        "",
    ),
    ("docs", "meet.contoso.com/alice.smith/7KXJ2PQM", "skype_for_business:meet.contoso.com/alice.smith/7KXJ2PQM", ""),
]

# (source, text that holds no join link)
NOT_JOIN_LINKS: list[tuple[str, str]] = [
    # dial-in, help, settings, downloads
    ("docs", "https://zoom.us/u/abc123XYZ"),
    ("docs", "https://us02web.zoom.us/u/kdhDRxQy"),
    ("docs", "https://zoom.us/test"),
    ("docs", "https://zoom.us/download"),
    ("docs", "https://support.zoom.us/hc/en-us/articles/201362233"),
    ("docs", "https://zoom.us/meeting/register/tJ0qf-abc"),
    ("docs", "https://zoom.us/j/"),
    ("docs", "https://zoom.us/join"),
    ("observed", "https://zoom.us/join?confno=abc"),
    ("observed", "https://zoom.us/joining?confno=123456789"),
    ("observed", "zoommtg://zoom.us/start?confno=123456789"),
    ("brief", "zoommtg://zoom.us.evil.com/join?confno=123456789"),
    ("brief", "zoommtg://evil.com/join?confno=123456789"),
    ("brief", "evilmtg://zoom.us/join?confno=123456789"),
    ("docs", "https://g.co/maps/abc"),
    ("docs", "https://g.co/meet/"),
    ("observed", "https://app.goto.com/meeting"),
    ("observed", "https://teams.microsoft.com/light-meetings/launch?p=cM5gEphg2N9i9d0w7G&anon=true"),
    ("observed", "https://teams.microsoft.com/light-meetings/launch?coords=%%%"),
    ("observed", "https://teams.microsoft.com/light-meetings/launch?coords=W10"),  # []
    ("observed", "https://teams.microsoft.com/light-meetings/launch?coords=eyJhIjoxfQ"),  # {"a":1}
    ("brief", "https://teams.microsoft.com/light-meetings/launch?coords=" + "W1tb" * 1900),  # [[[…
    ("observed", "https://visio.numerique.gouv.fr/legal-terms"),
    ("observed", "https://webconf.numerique.gouv.fr/voxapi"),
    ("observed", "https://webconf.numerique.gouv.fr/questionnaireSatisfaction.html"),
    ("observed", "https://webinaire.numerique.gouv.fr/meeting/mail"),
    ("observed", "https://audioconf.numerique.gouv.fr/"),
    ("observed", "https://rendez-vous.renater.fr/home/"),
    ("observed", "https://www.senfcall.de/impressum"),
    ("observed", "https://gitlab.senfcall.de/senfcall-public/mute"),
    ("observed", "https://app.alfaview.com/#/settings/api-keys"),
    ("observed", "https://www.edudip.com/de/intern/rechnungen"),
    ("docs", "https://zoom.us/zoomconference?m=abc"),
    ("observed", "https://events.zoom.us/ev/AqhqiQ8mTK2lnAoOEH8c8TA1a"),
    ("docs", "https://dialin.teams.microsoft.com/22f12fa0-499f-435b-bc69-b8de580ba330?id=1"),
    ("observed", "https://teams.microsoft.com/meetingOptions/?organizerId=1&threadId=19_meeting_a@thread.v2"),
    ("observed", "https://teams.live.com/meetingOptions/meetings/9385551482874/view?localeCode=en-US"),
    ("observed", "https://aka.ms/JoinTeamsMeeting?omkt=en-GB"),
    ("observed", "https://www.microsoft.com/microsoft-teams/join-a-meeting"),
    ("meetingbar", "https://teams.microsoft.com/l/meeting/new"),
    ("meetingbar", "https://teams.microsoft.com/"),
    ("meetingbar", "https://teams.microsoft.com/meet/channel?p=Aa1Bb2Cc3Dd4Ee5"),
    ("docs", "https://teams.microsoft.com/l/channel/19%3aabc%40thread.tacv2/General?groupId=1"),
    ("docs", "https://meet.google.com/tel/abc-defg-hij?pin=1&hs=1"),
    ("observed", "https://tel.meet/abc-defg-hij?pin=7723645902601&hs=7"),
    ("observed", "https://meet.google.com/"),
    ("docs", "https://meet.google.com/landing"),
    ("docs", "https://acme.webex.com/acme/globalcallin.php?MTID=m1"),
    ("docs", "https://www.webex.com/test-meeting.html"),
    ("docs", "https://help.webex.com/landing/newstart"),
    ("observed", "https://wgu.webex.com/webappng/sites/wgu/recording/bf6e7b5d5d06103abd8f005056815ee6/playback"),
    ("observed", "https://acme.webex.com/webappng/sites/acme/meeting/home"),
    ("docs", "https://attendee.gotowebinar.com/register/123456789"),
    ("observed", "https://meet.goto.com/openerbinaries/564/GoToOpenerMultiUser.msi"),
    ("docs", "https://support.goto.com/meeting/help"),
    ("observed", "https://meetings.dialpad.com/international"),
    ("observed", "https://meeting.tencent.com/crm/NL4rAjg489"),
    ("observed", "https://meeting.tencent.com/support/topic/1592"),
    ("meetingbar", "https://welink.zhumu.com/download"),
    ("observed", "https://hopin.com/events/inclusive-africa-2023/registration"),
    ("observed", "https://live.remo.co/e/abacbs2020-day-1/register"),
    ("observed", "https://seminars.adobeconnect.com/ptdo6mfo6qn6/?proto=true"),
    ("observed", "https://cngroup.clickmeeting.com/566151195/register"),
    ("observed", "https://api.clickmeeting.com/v1"),
    ("observed", "https://docs.daily.co/reference"),
    ("observed", "https://www.kumospace.com/help/spatial-and-room-audio"),
    ("observed", "https://kmeet.infomaniak.com/external_api.js"),
    ("docs", "https://whereby.com/pricing"),
    ("docs", "https://whereby.com/information/faq/"),
    ("docs", "https://calendly.com/alice/30min"),
    ("docs", "https://cal.com/alice/30min"),
    ("docs", "https://lu.ma/abc123"),
    ("docs", "https://discord.com/developers/docs"),
    ("docs", "https://vk.com/alice"),
    ("docs", "https://tuple.app/pricing"),
    ("docs", "https://call.whatsapp.com/"),
    # look-alikes and disguises
    ("brief", "https://zoom.us.evil.com/j/123456789"),
    ("brief", "https://notzoom.us/j/123456789"),
    ("brief", "https://zoom-us.com/j/123456789"),
    ("brief", "https://zoom.us@evil.com/j/123456789"),
    ("brief", "https://evil.com@zoom.us/j/123456789"),
    ("brief", "https://user:pw@zoom.us/j/123456789"),
    ("brief", "https://zoom.us:8443/j/123456789"),
    ("brief", "https://zооm.us/j/123456789"),  # Cyrillic о
    ("brief", "https://zoom.us%2eevil.com/j/123456789"),
    ("brief", "https://meet.google.com.evil.com/abc-defg-hij"),
    ("brief", "https://meet-google.com/abc-defg-hij"),
    ("brief", "https://teams.microsoft.com.evil.com/meet/1234567890"),
    ("brief", "https://evilwebex.com/meet/alice"),
    ("brief", "https://google.com/meet.google.com/abc-defg-hij-klm"),
    ("brief", "alice@zoom.us/j/123456789"),
    ("brief", "ftp://zoom.us/j/123456789"),
    ("brief", "javascript://zoom.us/j/123456789"),
    ("brief", "javascript:location='zoom.us'"),
    ("brief", "https://evil.com/b/abc-def"),
    ("brief", "https://evil.com/rooms/abc/join"),
    ("brief", "https://jitsi.evil.com/room"),
    # ordinary text
    ("observed", "Room 4 and/or Room 5, 10/12/2024, see a.b/c"),
    ("observed", "https://docs.google.com/document/d/abc/edit"),
    ("observed", "https://www.google.com/maps/place/Berlin"),
    ("observed", "https://example.org/call/abcdefgh"),
    ("observed", "https://example.org/b/alice"),
    ("observed", "https://jitsi.github.io/handbook"),
    ("observed", "https://meet.example.org/en/CONTACTS"),
    ("observed", "https://vc.example.com/room/42"),
    ("observed", ""),
]


def find(text: str) -> tuple[str, str, str] | None:
    link = find_meeting_link(LinkSources(description=text))
    return None if link is None else (link.provider, link.url, link.room_key)


@pytest.mark.parametrize(("source", "link", "room_key", "canonical"), JOIN_LINKS)
def test_join_link_is_recognised(source: str, link: str, room_key: str, canonical: str) -> None:
    expected = (room_key.partition(":")[0], "https://" + (canonical or link), room_key)

    assert find(f"Join here: https://{link} today") == expected
    assert find(f"http://{link}") == expected
    conference = find_meeting_link(LinkSources(entry_points=(("video", f"https://{link}"),)))
    assert conference is not None
    assert (conference.provider, conference.url, conference.room_key) == expected
    assert conference.found_in == "conference"


@pytest.mark.parametrize(("source", "link", "room_key", "canonical"), ANY_HOST_LINKS)
def test_link_on_any_host_is_believed_in_conference_and_location_only(
    source: str, link: str, room_key: str, canonical: str
) -> None:
    expected = (room_key.partition(":")[0], "https://" + (canonical or link), room_key)
    url = f"https://{link}"

    for sources, found_in in (
        (LinkSources(entry_points=(("video", url),)), "conference"),
        (LinkSources(location=f"Online: {url}"), "location"),
    ):
        found = find_meeting_link(sources)
        assert found is not None
        assert (found.provider, found.url, found.room_key) == expected
        assert found.found_in == found_in
    assert find(f"Join here: {url} today") is None
    assert find(f"https://www.google.com/url?q={quote(url, safe='')}&sa=D") is None
    assert find_meeting_link(LinkSources(hangout_link=url)) is None


def test_link_on_any_host_does_not_hide_a_known_service_in_a_description() -> None:
    assert find("Notes: https://bbb.example.org/b/ali-x2y-z3w Join: https://zoom.us/j/123") == (
        "zoom",
        "https://zoom.us/j/123",
        "zoom:123",
    )


@pytest.mark.parametrize(("source", "text"), NOT_JOIN_LINKS)
def test_text_without_join_link_gives_none(source: str, text: str) -> None:
    assert find(text) is None
    assert find_meeting_link(LinkSources(location=text, hangout_link=text)) is None


def test_every_provider_has_a_case() -> None:
    cases = [*JOIN_LINKS, *ANY_HOST_LINKS]
    assert {provider.slug for provider in PROVIDERS} == {key.partition(":")[0] for _, _, key, _ in cases}


def test_table_is_large_and_slugs_are_unique() -> None:
    slugs = [provider.slug for provider in PROVIDERS]

    assert len(slugs) == len(set(slugs)) >= 50
    assert "other" not in slugs
