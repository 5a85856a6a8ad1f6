"""The dashboard's door: the cookie, who holds it, and what a form must prove. Registered by `pages`, asked by `app`.

The cookie is HttpOnly and SameSite=Strict: no page elsewhere can make a browser send it. A form must besides carry the
session's own field, and browsers that say where a request comes from (Sec-Fetch-Site) must say: from here. So every
route is closed unless it is named as open, and every POST needs the acting role unless it is named as harmless.
"""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from sync.web.dashboard.operators import SESSION_SECONDS, Operator, Operators, is_from
from sync.web.doors.guard import mark_proven
from sync.web.doors.problems import Problem

# Pages, their styles and scripts are the service's own; nothing else is loaded, framed or posted to.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
OPEN = frozenset({"dashboard.sign_in", "dashboard.exchange", "dashboard.asset"})
HARMLESS = frozenset({"dashboard.sign_out"})


def require_session() -> ResponseReturnValue | None:
    """Before every route of the dashboard. Raises Problem 401, 403, 404."""
    if not operators().are_any:
        raise Problem(404, "dashboard_off", "There is no dashboard: set DASHBOARD_TOKEN, and restart.")
    require_own_page()
    operator = operators().holder(request.headers)
    if operator is not None:
        mark_proven("operator")
        g.operator = operator
    elif request.endpoint not in OPEN:
        if request.method != "GET" or "text/html" not in request.headers.get("Accept", ""):
            raise Problem(401, "signed_out", "Sign in at /dashboard first.", suspicion="no_key")
        return redirect(url_for("dashboard.sign_in", next=request.full_path.rstrip("?")), 303)
    if request.method == "POST" and request.endpoint not in OPEN:
        _require_form(current())
    return None


def require_own_page() -> None:
    """A POST that a browser sends for a page elsewhere is refused. Raises Problem 403."""
    if request.method == "POST" and request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise Problem(403, "foreign_page", "This form was sent from another site's page.", suspicion="foreign_form")


def _require_form(operator: Operator) -> None:
    given = request.form.get("csrf", "")
    if not is_from(operator, given):
        detail = "The form is older than the session: load the page again."
        raise Problem(403, "form_refused", detail, suspicion="foreign_form")
    if not operator.may_act and request.endpoint not in HARMLESS:
        raise Problem(403, "read_only", "This operator may look, not act.")


def operators() -> Operators:
    found: Operators = current_app.extensions["operators"]
    return found


def current() -> Operator:
    """Who looks, within a route that `require_session` has let through."""
    found: Operator = g.operator
    return found


def open_session(answer: Response, cookie: str) -> None:
    answer.set_cookie(operators().cookie_name, cookie, max_age=SESSION_SECONDS, **_kept())


def end_session(answer: Response) -> None:
    answer.delete_cookie(operators().cookie_name, **_kept())


def _kept() -> dict[str, Any]:
    return {"path": "/", "secure": operators().is_https, "httponly": True, "samesite": "Strict"}
