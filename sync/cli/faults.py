"""How a command ends: its exit codes, and sentences in place of tracebacks.

0    done, and all is well
1    done, but not all of it came out well: something failed, differs or was left
2    refused: the command line, the settings or what it was asked for must be changed first
3    it could not be done now: the database or Google did not answer, or refused; what was done stays done, run it again
70   a bug of this program
130  interrupted; what was done stays done
"""

from __future__ import annotations

import traceback
from enum import IntEnum
from typing import Any

import typer
from typer.core import TyperGroup

from sync.cli.desk import Desk
from sync.cli.output import Output
from sync.core.operations.mends import DATABASE_MENDS, sentence_of
from sync.errors import GoogleFailure, Misconfigured, ReconnectNeeded, StoreFailure, StoreUnavailable, SyncError
from sync.logs import cleaned
from sync.settings import SettingsError


class ExitCode(IntEnum):
    DONE = 0
    PARTLY = 1
    REFUSED = 2
    NOT_NOW = 3
    BUG = 70
    INTERRUPTED = 130


class Refused(Exception):
    """What was asked for cannot be done as it stands: `code` for scripts, a sentence for people."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Commands(TyperGroup):
    """Ends every command, whatever it raised, with a code and a sentence."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        # Parsing takes the arguments away, and may fail before a command hears of its --json.
        as_json = "--json" in args
        try:
            context = super().make_context(info_name, args, parent, **extra)
        except typer.TyperException as bad:
            _refuse_usage(bad, as_json)
            raise
        context.ensure_object(Desk).out.as_json = as_json
        return context

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (SettingsError, Refused, SyncError, KeyboardInterrupt) as ended:
            code, slug, sentence = _said(ended)
        except OSError as failure:
            if isinstance(failure, BrokenPipeError):
                raise
            code, slug, sentence = ExitCode.REFUSED, "os_error", f"{failure.strerror}: {failure.filename or ''}"
        except typer.Abort:
            code, slug, sentence = ExitCode.REFUSED, "not_confirmed", "Nothing was done: it was not confirmed."
        except typer.Exit:
            raise
        except typer.TyperException as bad:
            _refuse_usage(bad, ctx.obj.out.as_json)
            raise
        except Exception:  # noqa: BLE001 - the last place where it can be said without what the stack holds
            code, slug, sentence = ExitCode.BUG, "bug", "This is a bug:\n" + cleaned(traceback.format_exc())
        desk: Desk = ctx.obj or Desk()
        desk.out.refuse(slug, sentence)
        raise typer.Exit(code)


def _refuse_usage(bad: typer.TyperException, as_json: bool) -> None:
    """What cannot be read as a command line; typer tells people."""
    out = Output()
    out.as_json = as_json
    out.refuse("usage", str(getattr(bad, "message", bad)), is_said=True)


def _said(ended: BaseException) -> tuple[ExitCode, str, str]:
    """(exit code, slug, sentence)"""
    if isinstance(ended, SettingsError):
        return ExitCode.REFUSED, "settings_refused", str(ended)
    if isinstance(ended, Refused):
        return ExitCode.REFUSED, ended.code, str(ended)
    if isinstance(ended, StoreFailure):
        return _said_of_store(ended)
    if isinstance(ended, SyncError):
        return _said_of_google(ended)
    return ExitCode.INTERRUPTED, "interrupted", "Interrupted. What was done stays done; run it again to go on."


def _said_of_store(failure: StoreFailure) -> tuple[ExitCode, str, str]:
    if failure.code in DATABASE_MENDS:
        return ExitCode.REFUSED, failure.code, f"{sentence_of(failure.code)} ({failure})"
    if isinstance(failure, StoreUnavailable):
        sentence = (
            f"The database does not answer ({failure.code}): check SUPABASE_URL and the project, then run it again."
        )
        return ExitCode.NOT_NOW, failure.code, sentence
    return ExitCode.NOT_NOW, failure.code, f"The database refused ({failure}). What was done stays done."


def _said_of_google(failure: SyncError) -> tuple[ExitCode, str, str]:
    if isinstance(failure, Misconfigured):
        return (
            ExitCode.REFUSED,
            failure.code,
            f"Google refuses the service ({failure.code}). {sentence_of(failure.code)}",
        )
    if isinstance(failure, ReconnectNeeded):
        sentence = f"Google does not accept the user's grant ({failure.code}): they must sign in again."
        return ExitCode.REFUSED, failure.code, sentence
    who = "Google did not do it" if isinstance(failure, GoogleFailure) else "It could not be done"
    return ExitCode.NOT_NOW, failure.code, f"{who} ({failure.code}). What was done stays done; run it again."
