"""Schedules: hours and days that settings refer to by name."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from provisioner.access.permissions import Permission
from provisioner.errors import BadInput, Conflict, InUse
from provisioner.services.calls import schedules as use_cases
from provisioner.web.api.documents import Change, Document, Line, Page, PageQuery, Query, Request
from provisioner.web.api.endpoint import Call, Endpoint, ReadCall

Time = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", examples=["09:00"])]
Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", examples=["2026-12-25"])]


class HoursDocument(BaseModel):
    """Hours on some days of every week; an end that is not later than the begin is on the next day."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True, serialize_by_alias=True)

    days: Annotated[
        list[Annotated[int, Field(ge=1, le=7)]],
        Field(min_length=1, max_length=7, description="1 is Monday, 7 is Sunday."),
    ]
    begin: Annotated[Time, Field(alias="from")]
    end: Annotated[Time, Field(alias="to")]


class DaysDocument(BaseModel):
    """Whole days, both included."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True, serialize_by_alias=True)

    first: Annotated[Day, Field(alias="from")]
    last: Annotated[Day, Field(alias="to")]
    is_yearly: bool = False
    name: Line = ""


Weekly = Annotated[list[HoursDocument], Field(max_length=use_cases.MOST_ENTRIES)]
Dates = Annotated[list[DaysDocument], Field(max_length=use_cases.MOST_ENTRIES)]


class ScheduleDocument(Document):
    id: int
    tenant_id: int
    name: str
    weekly: Weekly
    dates: Dates


class SchedulePage(Page[ScheduleDocument]):
    """Schedules by name."""


class NewSchedule(Request):
    """A schedule to make. It holds when any of its entries does, in the tenant's time zone."""

    name: Annotated[Line, Field(examples=["Office hours"])]
    weekly: Weekly = Field(default_factory=list)
    dates: Dates = Field(default_factory=list)


class ScheduleChange(Change):
    """What to change of a schedule; a list replaces all of its entries."""

    name: Line = ""
    weekly: Weekly = Field(default_factory=list)
    dates: Dates = Field(default_factory=list)


async def list_schedules(call: Call[PageQuery, None]) -> SchedulePage:
    found = await use_cases.list_schedules(call.context, call.actor, tenant_id=call.id("tenant_id"))
    return SchedulePage.cut([ScheduleDocument.model_validate(row) for row in found], call.query)


async def get_schedule(call: ReadCall) -> ScheduleDocument:
    return ScheduleDocument.model_validate(
        await use_cases.get_schedule(call.context, call.actor, schedule_id=call.id("schedule_id"))
    )


async def create_schedule(call: Call[Query, NewSchedule]) -> ScheduleDocument:
    """Settings such as working_hours, holidays and blocked_schedule refer to it by its name."""
    row = await use_cases.create_schedule(
        call.context, call.actor, tenant_id=call.id("tenant_id"), **_given(call.body)
    )
    return ScheduleDocument.model_validate(row)


async def update_schedule(call: Call[Query, ScheduleChange]) -> ScheduleDocument:
    """Settings that name it follow a new name."""
    row = await use_cases.update_schedule(
        call.context, call.actor, schedule_id=call.id("schedule_id"), **_given(call.body)
    )
    return ScheduleDocument.model_validate(row)


async def delete_schedule(call: ReadCall) -> None:
    """Refused while a setting names it."""
    await use_cases.delete_schedule(call.context, call.actor, schedule_id=call.id("schedule_id"))


def _given(body: Request) -> dict[str, Any]:
    """The members that were sent, entries as they are stored."""
    return {
        name: [entry.model_dump(by_alias=True) for entry in value] if isinstance(value, list) else value
        for name, value in body.given().items()
    }


ENDPOINTS = (
    Endpoint(
        method="GET", path="/tenants/{tenant_id}/schedules", permission=Permission.SETTINGS_READ, handler=list_schedules, summary="List schedules",
        tag="schedules", query=PageQuery, response=SchedulePage,
    ),
    Endpoint(
        method="POST", path="/tenants/{tenant_id}/schedules", permission=Permission.SETTINGS_WRITE, handler=create_schedule, summary="Make a schedule",
        tag="schedules", request=NewSchedule, response=ScheduleDocument, status=201, location="/schedules/{answer.id}", errors=(BadInput, Conflict),
    ),
    Endpoint(
        method="GET", path="/schedules/{schedule_id}", permission=Permission.SETTINGS_READ, handler=get_schedule, summary="One schedule", tag="schedules",
        response=ScheduleDocument,
    ),
    Endpoint(
        method="PATCH", path="/schedules/{schedule_id}", permission=Permission.SETTINGS_WRITE, handler=update_schedule, summary="Change a schedule",
        tag="schedules", request=ScheduleChange, response=ScheduleDocument, errors=(BadInput, Conflict),
    ),
    Endpoint(
        method="DELETE", path="/schedules/{schedule_id}", permission=Permission.SETTINGS_WRITE, handler=delete_schedule, summary="Remove a schedule",
        tag="schedules", errors=(InUse,),
    ),
)  # fmt: skip
