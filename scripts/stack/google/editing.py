"""Every change to events: insert, import, patch, update, delete, move, split, finished conferences.

Owns what an edit does to an event, its series and its exceptions. Called by the API (events_api.py) and by the
control API (scenario.py), so that seeded events obey the same rules as written ones. The caller holds the store's
lock and notifies.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from . import event_rules, series
from .clock import rfc3339
from .errors import GoogleError, gone, invalid, not_found, required
from .instance_ids import OPAQUE_MARK, stamp_of
from .invitations import Invitations
from .store import Calendar, Record, Resource, Store
from .switches import Switches


class Editor:
    """The only writer of events."""

    def __init__(self, store: Store, switches: Switches) -> None:
        self._store = store
        self._switches = switches
        self._invitations = Invitations(store, switches)

    def find(self, calendar: Calendar, event_id: str) -> Resource:
        """The stored event (a deleted one too) or the rule-made instance; 404 otherwise."""
        record = calendar.records.get(event_id)
        found = (
            record.resource
            if record and not record.id_only
            else series.find_instance(calendar, event_id, self._switches.reading())
        )
        if found is None:
            raise not_found()
        return found

    def insert(
        self, calendar: Calendar, body: Resource, actor: str, *, conferences: bool, importing: bool = False
    ) -> Resource:
        """Create an event; 409 `duplicate` for an id (or an imported iCalUID) that is taken."""
        body = {key: value for key, value in body.items() if key not in ("recurringEventId", "originalStartTime")}
        if importing:
            event_id = self._import_id(calendar, body)
        else:
            event_id = event_rules.check_id(body["id"]) if body.get("id") else event_rules.new_id()
            if event_id in calendar.records:
                raise GoogleError(409, "duplicate", "The requested identifier already exists.")
        body = _with_conference(body, None, accepted=conferences)
        created = rfc3339(self._store.clock.now())
        complete = event_rules.complete_new(body, event_id, calendar.id, actor, created)
        return self._put(calendar, self._new_series(event_rules.check(complete, calendar.time_zone)))

    def _new_series(self, event: Resource) -> Resource:
        # How its instances are called is settled when an event becomes a series, and stays.
        named = {key: value for key, value in event.items() if key != OPAQUE_MARK}
        return named | ({OPAQUE_MARK: True} if self._switches.opaque_instance_ids and event.get("recurrence") else {})

    def _import_id(self, calendar: Calendar, body: Resource) -> str:
        if not body.get("iCalUID"):
            raise required("Missing iCalUID.")
        for record in calendar.records.values():
            if record.resource.get("iCalUID") == body["iCalUID"] and "recurringEventId" not in record.resource:
                return str(record.resource["id"])
        return event_rules.new_id()

    def patch(
        self, calendar: Calendar, event_id: str, changes: Resource, *, if_match: str | None = None, conferences: bool
    ) -> Resource:
        """Merge changes into an event; on an instance this makes (or changes) an exception."""
        current = self.find(calendar, event_id)
        changes = _with_conference(changes, current, accepted=conferences)
        return self._change(calendar, current, event_rules.merge(current, changes), if_match)

    def update(
        self, calendar: Calendar, event_id: str, body: Resource, *, if_match: str | None = None, conferences: bool
    ) -> Resource:
        """Replace an event's writable fields; those not given are cleared."""
        current = self.find(calendar, event_id)
        wanted = {key: value for key, value in body.items() if value is not None}
        if not conferences and "conferenceData" in current:
            wanted["conferenceData"] = current["conferenceData"]
        return self._change(calendar, current, _with_conference(wanted, current, accepted=conferences), if_match)

    def _change(self, calendar: Calendar, current: Resource, wanted: Resource, if_match: str | None) -> Resource:
        _check_match(current, if_match)
        is_instance = "recurringEventId" in current
        if is_instance and wanted.get("recurrence"):
            raise invalid("Recurring event instances cannot be recurring.")
        wanted.setdefault("status", "confirmed")
        if wanted["status"] == "cancelled":
            if current["status"] != "cancelled":
                self.delete(calendar, current["id"])
            return calendar.records[current["id"]].resource
        checked = event_rules.check(wanted, calendar.time_zone)
        changed = self._invitations.as_attendee(calendar, current, event_rules.complete_changed(current, checked))
        if not is_instance and not current.get("recurrence"):
            changed = self._new_series(changed)
        stored = self._put(calendar, changed)
        becomes_series = stored.get("recurrence") and not current.get("recurrence")
        if (current["status"] == "cancelled" or becomes_series) and not is_instance:
            self._list_again(calendar, stored)
        if not is_instance and (current.get("recurrence") or stored.get("recurrence")):
            self._drop_orphans(calendar, stored)
        return stored

    def delete(
        self, calendar: Calendar, event_id: str, *, if_match: str | None = None, keeping: Collection[str] = ()
    ) -> None:
        """Cancel a single event, a series with its exceptions, or one instance; 410 `deleted` the second time."""
        current = self.find(calendar, event_id)
        _check_match(current, if_match)
        if current["status"] == "cancelled":
            raise gone("deleted")
        self._put(calendar, current | {"status": "cancelled"})
        if current.get("recurrence"):
            self._drop_orphans(calendar, current | {"status": "cancelled"}, keeping)

    def _drop_orphans(self, calendar: Calendar, master: Resource, keeping: Collection[str] = ()) -> None:
        # Exceptions to occurrences that a series no longer makes go with them. Whether Google lists them as cancelled
        # or lets them vanish is not documented: a switch.
        for record in calendar.exceptions_of(master["id"]):
            exception = record.resource
            if exception["status"] == "cancelled" or series.makes(
                calendar, master, exception, self._switches.reading()
            ):
                continue
            if self._switches.list_orphaned_exceptions:
                # What a guest keeps stands beside the tombstone of its series, as it is.
                self._put(calendar, exception if exception["id"] in keeping else exception | {"status": "cancelled"})
            elif exception["id"] not in keeping:
                del calendar.records[exception["id"]]

    def _list_again(self, calendar: Calendar, master: Resource) -> None:
        # The cancelled instances of what is no series are in no full listing. Once it is restored, or a series again,
        # they count again, so whoever listed meanwhile must be told: a listing and the changes after it come to the
        # calendar.
        for record in calendar.exceptions_of(master["id"]):
            self._put(calendar, record.resource)

    def move(self, source: Calendar, event_id: str, target: Calendar) -> Resource:
        """Move an event (with its exceptions) to another calendar; the source keeps an id-only cancelled stub."""
        current = self.find(source, event_id)
        if "recurringEventId" in current:
            message = "Cannot change the organizer of an instance."
            raise GoogleError(400, "cannotChangeOrganizerOfInstance", message, domain="calendar")
        if current["status"] == "cancelled":
            raise gone("deleted")
        if current.get("eventType", "default") != "default":
            message = "Only default events can be moved to another calendar."
            raise GoogleError(400, "eventTypeRestriction", message, domain="calendar")
        if source.id == target.id:
            return current
        if target.live(event_id):
            raise GoogleError(409, "duplicate", "The requested identifier already exists.")
        moved = self._put(target, current | {"organizer": {"email": target.id}})
        for record in [Record(current, 0), *source.exceptions_of(event_id)]:
            if record.resource["id"] != event_id:
                self._put(target, record.resource | {"organizer": {"email": target.id}})
            self._store.put(source, {"id": record.resource["id"], "status": "cancelled"}, id_only=True)
        return moved

    def split(
        self, calendar: Calendar, master_id: str, at: str, changes: Resource | None, *, web: bool
    ) -> tuple[Resource, Resource]:
        """Change "this and following": the shortened series and the new one that begins at `at`.

        As Google's web interface does it (`web`), the new id derives from the old and later exceptions follow to it;
        as other clients do it, the id is fresh and later exceptions end with the occurrences they replaced.
        """
        master = self.find(calendar, master_id)
        if not master.get("recurrence"):
            raise invalid("Not a recurring event.")
        slot = series.find_slot(calendar, master, at, self._switches.reading())
        before, after = series.split_recurrence(calendar, master, slot, self._switches.reading())
        event_id = series.web_id(master, slot) if web else event_rules.new_id()
        identity: Resource = {
            "id": event_id,
            "iCalUID": f"{event_id}@google.com",
            "start": slot.start,
            "end": slot.end,
            "recurrence": after,
            "sequence": 0,
            "created": rfc3339(self._store.clock.now()),
        }
        wanted = event_rules.merge(master | identity, changes or {}) | {"id": event_id}
        following = self._put(calendar, self._new_series(event_rules.check(wanted, calendar.time_zone)))
        if web:
            for record in calendar.exceptions_of(master_id):
                if stamp_of(record.resource["originalStartTime"]) >= slot.stamp:
                    self._put(calendar, record.resource | {"recurringEventId": event_id})
            self._drop_orphans(calendar, following)
        shortened = self.patch(calendar, master_id, {"recurrence": before}, conferences=True)
        return shortened, following

    def complete_conference(self, calendar: Calendar, event_id: str, url: str) -> Resource:
        """Finish a pending conference: the join link arrives, as a change of its own."""
        current = self.find(calendar, event_id)
        conference: dict[str, Any] = dict(current.get("conferenceData") or {})
        if "createRequest" in conference:
            conference["createRequest"] = conference["createRequest"] | {"status": {"statusCode": "success"}}
        conference["conferenceId"] = url.rsplit("/", 1)[-1]
        conference["conferenceSolution"] = {"key": {"type": "hangoutsMeet"}, "name": "Google Meet"}
        conference["entryPoints"] = [{"entryPointType": "video", "uri": url, "label": url.partition("://")[2]}]
        return self._put(calendar, current | {"conferenceData": conference, "hangoutLink": url})

    def _put(self, calendar: Calendar, resource: Resource) -> Resource:
        stored = self._store.put(calendar, resource)
        self._invitations.mirror(calendar, stored)
        return stored


def _check_match(current: Resource, if_match: str | None) -> None:
    if if_match and if_match not in ("*", current["etag"]):
        raise GoogleError(412, "conditionNotMet", "Precondition Failed", location="If-Match", location_type="header")


def _with_conference(body: Resource, current: Resource | None, *, accepted: bool) -> Resource:
    """Google ignores conferenceData without conferenceDataVersion=1; a createRequest is answered as pending."""
    if "conferenceData" not in body:
        return body
    if not accepted:
        kept = {"conferenceData": current["conferenceData"]} if current and "conferenceData" in current else {}
        return {key: value for key, value in body.items() if key != "conferenceData"} | kept
    conference = body["conferenceData"]
    request = conference.get("createRequest") if isinstance(conference, dict) else None
    if not isinstance(conference, dict) or not request or conference.get("entryPoints"):
        return body
    if not isinstance(request, dict) or not request.get("requestId"):
        raise invalid("Invalid conference request.")
    pending = request | {"status": {"statusCode": "pending"}}
    return body | {"conferenceData": {"createRequest": pending}}
