"""Google's token endpoint: refresh and revoke. google-auth does the refreshing; its errors become typed here.

Called by `jobs/access_tokens`. A dead grant is told from a passing fault by the OAuth error code (RFC 6749 5.2),
never by its text; time-outs and 5xx are never a dead grant.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import google.auth.exceptions
import google.oauth2.credentials
import google_auth_httplib2

from sync.clients.http_transport import ThreadHttp
from sync.errors import ReconnectNeeded, RequestRejected, RetryLater
from sync.model import Grant

# What Google's OAuth guide calls ends of a grant: only the user's consent brings a new one.
DEAD_GRANT_CODES = frozenset(
    {"invalid_grant", "admin_policy_enforced", "invalid_rapt", "deleted_client", "access_denied"}
)
# The OAuth client itself is refused: an operator's matter; users' grants may be fine.
CLIENT_CODES = frozenset({"invalid_client", "unauthorized_client", "disabled_client", "org_internal"})


class GoogleOAuth:
    """Thread-safe; one per process."""

    def __init__(self, *, client_id: str, client_secret: str, token_uri: str) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._token_uri = token_uri
        self._threads = ThreadHttp()

    def refresh(self, refresh_token: str) -> Grant:
        """A new access token. Raises ReconnectNeeded, RequestRejected (our OAuth client), RetryLater."""
        credentials: Any = google.oauth2.credentials.Credentials(  # type: ignore[no-untyped-call]
            token=None,
            refresh_token=refresh_token,
            token_uri=self._token_uri,
            client_id=self._client_id,
            client_secret=self._client_secret,
        )
        try:
            credentials.refresh(google_auth_httplib2.Request(self._threads.http))
        except google.auth.exceptions.RefreshError as refused:
            raise _refusal(refused) from None
        except (google.auth.exceptions.TransportError, OSError) as broken:
            raise RetryLater("token_endpoint_unreachable") from broken
        except (AttributeError, KeyError, TypeError, ValueError) as broken:
            # An answer 200 that is no token answer (a proxy's page, a body cut short) trips google-auth anywhere.
            raise RetryLater("token_answer_unreadable") from broken
        rotated = credentials.refresh_token if credentials.refresh_token != refresh_token else None
        scopes = credentials.granted_scopes or ()
        return Grant(
            access_token=credentials.token,
            # google-auth keeps naive UTC.
            expires_at=credentials.expiry.replace(tzinfo=dt.UTC),
            refresh_token=rotated,
            scopes=tuple(scopes.split() if isinstance(scopes, str) else scopes),
        )


def _refusal(refused: google.auth.exceptions.RefreshError) -> Exception:
    """The endpoint's own error code decides. google-auth puts the parsed answer second in `args`."""
    answer = refused.args[1] if len(refused.args) > 1 else None
    code = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(code, str) or refused.retryable:
        return RetryLater("token_endpoint_failed")
    if code in CLIENT_CODES:
        return RequestRejected(code)
    if code in DEAD_GRANT_CODES:
        return ReconnectNeeded(code)
    return RetryLater(f"token_endpoint_{code}"[:60])
