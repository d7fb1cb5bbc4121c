"""The mappings that come with Tallystick, on records that nobody here wrote."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

import pytest

from tallystick_client.mapping.catalogue import SHIPPED, shipped, shipped_file
from tallystick_merkle.event import Event, Value
from tests.unit.client.mapping.samples import (
    CLOUDTRAIL,
    EKS,
    KEY,
    WINDOWS,
    Mapped,
    event_of,
    lost,
    map_file,
)

RECORDED = {
    "cloudtrail": (CLOUDTRAIL, 103),
    "windows": (WINDOWS, 1749),
    "kubernetes": (EKS, 1),
}


@cache
def mapped(name: str) -> list[Mapped]:
    return map_file(name, RECORDED[name][0])


@cache
def events(name: str) -> list[Event]:
    return [event_of(event, at) for at, (_, event) in enumerate(mapped(name), 1)]


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_every_record_becomes_an_event_that_the_kernel_takes(name: str) -> None:
    assert len(events(name)) == RECORDED[name][1]


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_every_record_has_an_id_of_its_own_and_always_the_same(name: str) -> None:
    ids = [event.event_id for event in events(name)]

    assert len(set(ids)) == len(ids)
    again = map_file(name, RECORDED[name][0])
    assert [event["event_id"] for _, event in again] == ids


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_no_value_of_a_record_is_lost(name: str) -> None:
    losses = {
        str(event["event_id"]): missing
        for record, event in mapped(name)
        if (missing := lost(record, event))
    }

    assert losses == {}


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_nothing_recorded_had_to_be_cut(name: str) -> None:
    assert not [event for _, event in mapped(name) if "cut" in str(notes(event))]


def notes(event: dict[str, Value]) -> Value:
    details = event["details"]
    assert isinstance(details, dict)
    return details["mapping"]


def test_an_id_carries_the_time_of_its_event() -> None:
    first = events("cloudtrail")[0]

    assert int(first.event_id.replace("-", "")[:12], 16) == first.occurred_ms


def test_cloudtrail_says_who_did_what_to_whom() -> None:
    last = events("cloudtrail")[-1]

    assert last.action == "aws.s3.get-object"
    assert last.actor.type == "assumed-role"
    assert last.actor.id.startswith("arn:aws:sts::123456789123:assumed-role/")
    assert [target.type for target in last.targets] == [
        *("s3-object", "s3-bucket", "aws-account")
    ]
    assert (last.outcome, last.region) == ("success", "us-east-1")


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("AccessDenied", "denied"),
        ("Client.UnauthorizedOperation", "denied"),
        ("NoSuchBucket", "failure"),
    ],
)
def test_an_error_code_of_cloudtrail_decides_the_outcome(
    code: str, outcome: str
) -> None:
    record = {**mapped("cloudtrail")[0][0], "errorCode": code}

    event = shipped("cloudtrail").apply(record, line=1, key=KEY)

    assert event is not None
    assert event["outcome"] == {"result": outcome, "code": code}


def test_a_person_that_a_record_is_about_is_a_subject() -> None:
    record: dict[str, Value] = {
        **mapped("cloudtrail")[0][0],
        "eventSource": "iam.amazonaws.com",
        "eventName": "DeleteUser",
        "requestParameters": {"userName": "mallory"},
    }

    event = shipped("cloudtrail").apply(record, line=1, key=KEY)

    assert event is not None
    assert event["action"] == "aws.iam.delete-user"
    targets = event_of(event).targets
    assert [target.id for target in targets if target.person] == ["mallory"]


def test_kubernetes_names_node_object_decision_and_code() -> None:
    (event,) = events("kubernetes")

    assert event.action == "kubernetes.nodes.create"
    assert event.actor.type == "node"
    assert [(target.type, target.id) for target in event.targets] == [
        ("kubernetes.nodes", "ip-192-001-02-03.ec2.internal")
    ]
    assert (event.outcome, event.code) == ("success", "201")
    assert event.extra["decision"] == {"effect": "allow"}
    # The address stands in a list of a list there.
    request = event.extra["request"]
    assert isinstance(request, dict)
    assert request["ip"] == "12.000.22.33"


@pytest.mark.parametrize(
    ("members", "action", "outcome"),
    [
        ({"responseStatus": {"code": 403}}, "kubernetes.nodes.create", "denied"),
        ({"responseStatus": {"code": 409}}, "kubernetes.nodes.create", "failure"),
        ({"stage": "Panic"}, "kubernetes.nodes.create", "failure"),
        (
            {"objectRef": {"resource": "pods", "subresource": "exec", "name": "p"}},
            "kubernetes.pods.exec.create",
            "success",
        ),
        (
            {"objectRef": None, "requestURI": "/healthz?x=1"},
            "kubernetes.non-resource.create",
            "success",
        ),
    ],
    ids=["denied", "conflict", "panic", "subresource", "no resource"],
)
def test_kubernetes_requests_of_all_kinds(
    members: dict[str, Value], action: str, outcome: str
) -> None:
    ((record, _),) = mapped("kubernetes")

    event = shipped("kubernetes").apply({**record, **members}, line=1, key=KEY)

    assert event is not None
    assert event["action"] == action
    assert event_of(event).outcome == outcome


def test_each_stage_of_a_kubernetes_request_is_an_event_of_its_own() -> None:
    ((record, event),) = mapped("kubernetes")
    earlier: dict[str, Value] = {**record, "stage": "RequestReceived"}

    other = shipped("kubernetes").apply(earlier, line=1, key=KEY)

    assert other is not None
    assert other["event_id"] != event["event_id"]


def test_every_windows_event_of_the_sample_has_an_action_of_its_own() -> None:
    actions = Counter(event.action for event in events("windows"))

    assert len(actions) == 31
    assert not [action for action in actions if "event-" in action]
    assert actions["windows.security.logon"] == 9
    assert actions["windows.sysmon.process-access"] == 997


def test_a_windows_event_that_nobody_knows_is_named_by_channel_and_id() -> None:
    record: dict[str, Value] = {
        "EventID": 70001,
        "Channel": "Microsoft-Windows-Odd/Operational",
        "Hostname": "h",
        "@timestamp": "2020-09-21T08:08:50.711Z",
    }

    event = shipped("windows").apply(record, line=1, key=KEY)

    assert event is not None
    assert event["action"] == "windows.microsoft-windows-odd-operational.event-70001"


def test_a_failed_audit_of_windows_is_a_denial() -> None:
    denied = [event for event in events("windows") if event.outcome == "denied"]

    assert [event.action for event in denied] == [
        "windows.security.privileged-service-call"
    ] * 2


def test_who_logs_on_to_windows_is_the_account_that_logs_on() -> None:
    logon = next(e for e in events("windows") if e.action == "windows.security.logon")

    assert (logon.actor.type, logon.actor.id) == ("user", "S-1-5-18")


def test_the_zone_of_windows_is_not_guessed() -> None:
    record, event = mapped("windows")[0]

    assert record["EventTime"] == "2020-09-21 04:08:47"
    assert event["occurred_at"] == record["@timestamp"]


def test_sysmon_has_its_own_time_of_the_event() -> None:
    record, event = next(pair for pair in mapped("windows") if "UtcTime" in pair[0])

    stamp = str(record["UtcTime"]).replace(" ", "T")
    assert event["occurred_at"] == f"{stamp}Z"


def test_ocsf_events_are_named_by_class_and_activity() -> None:
    record: dict[str, Value] = {
        "class_uid": 3002,
        "class_name": "Authentication",
        "activity_id": 1,
        "activity_name": "Logon",
        "time": 1_700_000_000_123,
        "status_id": 2,
        "status_code": "0xC000006D",
        "user": {"uid": "u-1", "name": "alice"},
        "src_endpoint": {"ip": "192.0.2.1"},
        "metadata": {"uid": "m-1", "version": "1.1.0", "product": {"name": "p"}},
        "severity_id": 3,
    }

    event = shipped("ocsf").apply(record, line=1, key=KEY)

    assert event is not None
    read = event_of(event)
    assert (read.action, read.outcome) == ("ocsf.authentication.logon", "failure")
    assert (read.actor.id, read.code) == ("u-1", "0xC000006D")
    assert read.occurred_ms == 1_700_000_000_123
    assert lost(record, event) == []


@pytest.mark.parametrize("name", SHIPPED)
def test_every_mapping_that_comes_along_is_a_mapping(name: str) -> None:
    assert shipped(name).name == name


def test_every_place_in_the_windows_tables_is_an_action() -> None:
    text = shipped_file("windows").decode()
    actions = re.findall(r'^\d+ = "([^"]+)"$', text, re.MULTILINE)

    assert len(actions) > 60
    assert all(re.fullmatch(r"windows\.[a-z]+\.[a-z0-9-]+", one) for one in actions)
