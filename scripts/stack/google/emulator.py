"""Google as one function from request to response.

Owns routing and everything around a call: counting, faults, authentication, scopes, quota, partial responses and the
notifications a change owes. Knows no sockets (server.py), no control API (control_api.py) and no rules of events.
"""

from __future__ import annotations

from typing import Any

from . import batch, discovery, fields
from .channels import Channels
from .clock import Clock
from .counters import Counters
from .editing import Editor
from .errors import GoogleError, OAuthError, scope_missing
from .events_api import ApiCall, EventsApi
from .faults import OAUTH_REFUSALS, PAGE_ODDITIES, REFUSALS, Call, Faults, Rule
from .foreign import FOREIGN, oversized
from .http import Request, Response
from .listing import Listing, PageEffects
from .oauth import OAuth
from .push import PushEngine
from .quota import Quota
from .scenario import Scenario
from .store import Store
from .switches import Switches
from .sync_tokens import Tokens

OAUTH_PATHS = {"/o/oauth2/v2/auth": ("GET", "auth"), "/token": ("POST", "token"), "/revoke": ("POST", "revoke")}


class Emulator:
    """One Google, in memory. `handle` may be called from any number of threads."""

    def __init__(self, clients: dict[str, str] | None = None) -> None:
        """`clients` are the OAuth clients there are, secret by id; one that everybody knows unless given."""
        self.clients = clients or {"emulator-client": "emulator-secret"}
        self.clock = Clock()
        self.faults = Faults()
        self.counters = Counters(self.clock)
        self.push = PushEngine(self.clock)
        self.build()

    def build(self) -> None:
        """Begin anew with no accounts and default switches; what was running against the old state ends with it."""
        self.clock.offset_seconds = 0.0
        self.faults.clear()
        self.counters.reset()
        self.switches = Switches(clients=dict(self.clients))
        self.store = Store(self.clock)
        self.tokens = Tokens(self.store, self.switches)
        self.oauth = OAuth(self.store, self.switches)
        self.channels = Channels(self.store, self.switches)
        self.quota = Quota(self.clock, self.switches)
        editor = Editor(self.store, self.switches)
        listing = Listing(self.store, self.switches, self.tokens)
        self.api = EventsApi(self.store, self.switches, editor, listing, self.channels)
        self.scenario = Scenario(self.store, self.switches, editor, listing)
        self.push.begin(self.channels, self.switches)

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        if request.path in OAUTH_PATHS:
            return self._oauth(request, *OAUTH_PATHS[request.path])
        if request.path == "/batch/calendar/v3" and request.method == "POST":
            return batch.answer(request, self._api)
        return self._api(request)

    def _oauth(self, request: Request, method: str, kind: str) -> Response:
        if request.method != method:
            return Response(405, b"")
        call = Call(kind, account=self._token_account(request) if kind == "token" else None)
        with self.counters.running(call) as entry:
            rules = self.faults.take(call)
            self.faults.wait(rules)
            response = _broken_before(rules)
            if response is None:
                try:
                    response = self._oauth_answer(request, kind, rules)
                except OAuthError as error:
                    response = Response.of_json(error.body(), error.code)
                except GoogleError as error:
                    # The token endpoint speaks OAuth's error format, also when it is down.
                    response = Response.of_json({"error": "internal_failure"}, error.code, error.headers)
                response = _broken_after(rules, response)
            entry.status = response.effect or response.status
        response.idle_seconds = self.switches.token_idle_seconds
        return response

    def _token_account(self, request: Request) -> str | None:
        with self.store.lock:
            return self.oauth.owner(request.form().get("refresh_token", ""))

    def _oauth_answer(self, request: Request, kind: str, rules: list[Rule]) -> Response:
        for rule in rules:
            if rule.kind in OAUTH_REFUSALS:
                raise OAUTH_REFUSALS[rule.kind]()
            if rule.kind in REFUSALS:
                raise REFUSALS[rule.kind](rule)
        with self.store.lock:
            if kind == "auth":
                return self.oauth.authorize(request)
            if kind == "token":
                return Response.of_json(self.oauth.token(request), headers={"Cache-Control": "no-store"})
            self.oauth.revoke(request)
            return Response.of_json({})

    def _api(self, request: Request) -> Response:
        matched = discovery.match(request.method, request.path)
        if matched is None:
            return Response(
                404, b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>", {"Content-Type": "text/html"}
            )
        method, path = matched
        call = self._describe(method.kind, path, request)
        shown = {name: values[-1] for name, values in request.query.items()}
        with self.counters.running(call, shown) as entry:
            rules = self.faults.take(call)
            self.faults.wait(rules)
            response = _broken_before(rules)
            if response is None:
                try:
                    response = self._answer(method, path, request, rules)
                except GoogleError as error:
                    response = Response.of_json(error.body(), error.code, error.headers)
                response = _broken_after(rules, response)
            entry.status = response.effect or response.status
        response.idle_seconds = self.switches.api_idle_seconds
        return response

    def _describe(self, kind: str, path: dict[str, str], request: Request) -> Call:
        query = request.query
        with self.store.lock:
            account = self.oauth.account_of(request.headers)
            page = self.tokens.page_number(query.get("pageToken", [None])[-1])
        calendar = path.get("calendarId")
        mode = None
        if kind.endswith(".list"):
            mode = "incremental" if "syncToken" in query else "full"
        return Call(kind, account if calendar == "primary" else calendar, account, mode, page)

    def _answer(self, method: discovery.Method, path: dict[str, str], request: Request, rules: list[Rule]) -> Response:
        for rule in rules:
            if rule.kind in REFUSALS:
                raise REFUSALS[rule.kind](rule)
        with self.store.lock:
            access = self.oauth.authenticate(request.headers)
            account = access.grant.account
            if not access.scopes & method.scopes:
                raise scope_missing()
            self.quota.spend(request.query.get("quotaUser", [account])[-1])
            parameters = discovery.read_parameters(method, request.query)
            call = ApiCall(
                method.kind, account, access.grant.client_id, path, parameters, request, _page_effects(rules)
            )
            body = self.api.answer(call)
            self.announce_changes(account)
        if call.opened:
            self._shake_hands(call, rules)
        return _as_response(method, body, parameters, request)

    def announce_changes(self, actor: str | None) -> None:
        """Queue the notifications that the latest changes owe. Holds the store's lock."""
        for calendar_id, event_types in self.store.take_touched().items():
            for channel in self.channels.owed(calendar_id, event_types, actor):
                self.push.announce(channel, "exists")

    def _shake_hands(self, call: ApiCall, rules: list[Rule]) -> None:
        if call.opened is None or self.switches.handshake == "never":
            return
        if self.switches.handshake == "before" and not any(rule.kind == "lost_watch_answer" for rule in rules):
            self.push.announce_now(call.opened)
        else:
            self.push.announce(call.opened, "sync")


def _page_effects(rules: list[Rule]) -> PageEffects:
    sizes = [rule.size for rule in rules if rule.kind == "small_pages"]
    return PageEffects(min(sizes, default=None), frozenset(rule.kind for rule in rules) & PAGE_ODDITIES)


def _broken_before(rules: list[Rule]) -> Response | None:
    for rule in rules:
        if rule.kind == "reset_before":
            return Response(effect="reset")
        if rule.kind in FOREIGN:
            return FOREIGN[rule.kind](rule.status)
    return None


def _broken_after(rules: list[Rule], response: Response) -> Response:
    kinds = {rule.kind for rule in rules}
    if kinds & {"reset_after", "lost_watch_answer"}:
        response.effect = "reset"
    elif "truncated_body" in kinds:
        response.effect = "truncate"
    elif "malformed_json" in kinds:
        response.body = response.body[: len(response.body) // 2] + b"<html>"
    elif "oversized_body" in kinds:
        response.body = oversized()
        response.headers["Content-Encoding"] = "gzip"
    return response


def _as_response(
    method: discovery.Method, body: dict[str, Any] | None, parameters: dict[str, Any], request: Request
) -> Response:
    if body is None:
        return Response(204)
    etag = body.get("etag")
    if request.method == "GET" and etag and request.headers.get("if-none-match") == etag:
        return Response(304, headers={"ETag": etag})
    if "fields" in parameters:
        body = fields.select(body, parameters["fields"], method.response_schema)
    headers = {"ETag": etag, "Vary": "Origin, X-Origin, Referer"} if etag else {}
    return Response.of_json(body, headers=headers, pretty=parameters.get("prettyPrint", True))
