"""GET and POST /dashboard/sign-in, POST /dashboard/sign-out: a token for a session. Registered by `pages`.

Wrong tokens are counted against their address, a few a minute; a right one is heard all the same, since at one address
there may be many people.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from sync.web.dashboard.deeds import note
from sync.web.dashboard.sessions import current, end_session, open_session, operators
from sync.web.doors.guard import guard
from sync.web.doors.problems import Problem


def register(blueprint: Blueprint) -> None:
    blueprint.get("/sign-in", endpoint="sign_in")(_page)
    blueprint.post("/sign-in", endpoint="exchange")(_exchange)
    blueprint.post("/sign-out", endpoint="sign_out")(_leave)


def _page(complaint: str = "", status: int = 200) -> ResponseReturnValue:
    target = _own_path(request.values.get("next", ""))
    return render_template("dashboard/sign_in.html", complaint=complaint, next=target), status


def _exchange() -> ResponseReturnValue:
    cookie = operators().sign_in(request.form.get("token", "").strip())
    if cookie is None:
        seconds = guard().count_sign_in()
        if seconds is not None:
            detail = f"Too many wrong tokens; try again in {seconds} seconds."
            raise Problem(429, "too_many_requests", detail, {"Retry-After": str(seconds)})
        return _page("That is nobody's token here. It is the value of DASHBOARD_TOKEN, without a name and =.", 401)
    operator = operators().of_session(cookie)
    if operator:
        note(operator.name, "sign_in")
    answer = make_response(redirect(_own_path(request.form.get("next", "")), 303))
    open_session(answer, cookie)
    return answer


def _leave() -> ResponseReturnValue:
    note(current().name, "sign_out")
    answer = make_response(redirect(url_for("dashboard.sign_in"), 303))
    end_session(answer)
    return answer


def _own_path(target: str) -> str:
    """A path of the dashboard, whatever was asked for: nobody is sent elsewhere from here."""
    parts = urlsplit(target)
    is_own = not parts.scheme and not parts.netloc and (target + "/").startswith("/dashboard/") and "\\" not in target
    return target if is_own and target.isprintable() else url_for("dashboard.overview")
