"""Mail by SMTP: one plain text to one person. Called by `jobs/accounts/mail_users`.

The server's certificate is checked; on a plain connection STARTTLS is demanded before anything is said, except on
loopback.
"""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage

from sync.errors import MailFailure
from sync.model import SmtpServer

TIMEOUT_SECONDS = 15.0


class Mailer:
    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    def send(self, address: str, subject: str, text: str) -> None:
        """Raises MailFailure: it was not, or may not have been, taken."""
        message = EmailMessage()
        try:
            message["From"], message["To"], message["Subject"] = self._server.sender, address, subject
        except ValueError:
            # A line break in an address would be another header.
            raise MailFailure("address_malformed") from None
        # Tells out-of-office programs not to answer (RFC 3834).
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        try:
            with self._connect() as connection:
                if self._server.user:
                    connection.login(self._server.user, self._server.password or "")
                connection.send_message(message)
        except (smtplib.SMTPException, OSError, UnicodeError) as refused:
            raise MailFailure("mail_not_sent", type(refused).__name__) from None

    def _connect(self) -> smtplib.SMTP:
        server, context = self._server, ssl.create_default_context()
        if server.implicit_tls:
            return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_SECONDS, context=context)
        connection = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_SECONDS)
        if not server.is_loopback:
            try:
                connection.starttls(context=context)
            except BaseException:
                connection.close()
                raise
        return connection
