"""moto has the internals that the local stack uses, and the stack's shortcuts return what moto returns."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models import dynamodb_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import Client

from local.aws import moto_dynamodb, moto_stepfunctions
from local.aws.server import Aws
from local.stack import LocalStack
from tests.api_user import wait_until
from tests.dynamodb_calls import DynamoDbCalls
from tests.patience import ALLOWANCE

SMALL = Path(__file__).resolve().parents[1] / "local/stack/template.yaml"


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack(template=SMALL, allowance=ALLOWANCE) as running:
        yield running


# ---- DynamoDB: the shortcut and moto itself ------------------------------------------------------------------------

KEY = {"PK": {"S": "JOB#1"}, "SK": {"S": "META"}}


def event(number: int, **attributes: Any) -> dict[str, Any]:
    return {"PK": {"S": "JOB#1"}, "SK": {"S": f"EVT#{number:03d}"}, **attributes}


def script() -> list[tuple[str, dict[str, Any]]]:
    """Call every DynamoDB operation that the product uses, including refused ones."""
    meta = {**KEY, "status": {"S": "new"}, "n": {"N": "1"}, "owner": {"S": "alice"}, "at": {"S": "2"}}
    nested = {"M": {"a": {"L": [{"N": "1"}, {"BOOL": True}, {"NULL": True}]}, "b": {"SS": ["x", "y"]}}}
    equals = {"ExpressionAttributeNames": {"#s": "status"}, "ExpressionAttributeValues": {":v": {"S": "new"}}}
    large, small = {"S": "x" * 250_000}, {"S": "x"}
    absent = {"ConditionExpression": "attribute_not_exists(PK)"}
    of_job = {"KeyConditionExpression": "PK = :p", "ExpressionAttributeValues": {":p": {"S": "JOB#1"}}}

    def after(comparison: str, *bounds: str, **more: Any) -> tuple[str, dict[str, Any]]:
        values = {f":{index}": {"S": bound} for index, bound in enumerate(bounds)}
        values[":p"] = {"S": "JOB#1"}
        return "Query", {
            "KeyConditionExpression": f"PK = :p AND {comparison}",
            "ExpressionAttributeValues": values,
            **more,
        }

    return [
        ("PutItem", {"Item": meta, **absent}),
        ("PutItem", {"Item": meta, **absent, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}),
        ("PutItem", {"Item": meta, **absent}),
        ("PutItem", {"Item": {**meta, "n": {"N": "2"}}, "ReturnValues": "ALL_OLD"}),
        *(("PutItem", {"Item": event(number, data={"S": f"text {number}"}, deep=nested)}) for number in range(6)),
        ("PutItem", {"Item": {"PK": {"S": "JOB#2"}, "SK": {"S": "META"}, "owner": {"S": "alice"}, "at": {"S": "1"}}}),
        ("PutItem", {"Item": {"PK": {"S": "no sort key"}}}),
        ("PutItem", {"Item": {**KEY, "SK": {"N": "1"}}}),
        ("GetItem", {"Key": KEY, "ConsistentRead": True}),
        ("GetItem", {"Key": KEY, "ProjectionExpression": "n, #s", "ExpressionAttributeNames": {"#s": "status"}}),
        ("GetItem", {"Key": {**KEY, "SK": {"S": "nothing"}}}),
        (
            "UpdateItem",
            {"Key": KEY, "UpdateExpression": "SET n = n + :o", "ExpressionAttributeValues": {":o": {"N": "1"}}},
        ),
        (
            "UpdateItem",
            {
                "Key": KEY,
                "UpdateExpression": "SET #s = :n, m = if_not_exists(m, :o) REMOVE nothing ADD k :o",
                "ConditionExpression": "#s = :v AND (attribute_not_exists(x) OR n > :o)",
                "ExpressionAttributeNames": {"#s": "status"},
                "ExpressionAttributeValues": {":v": {"S": "new"}, ":n": {"S": "old"}, ":o": {"N": "1"}},
                "ReturnValues": "ALL_NEW",
            },
        ),
        ("UpdateItem", {"Key": KEY, "UpdateExpression": "SET n = n", "ConditionExpression": "#s = :v", **equals}),
        (
            "UpdateItem",
            {
                "Key": KEY,
                "UpdateExpression": "REMOVE n",
                "ConditionExpression": "#s = :v",
                **equals,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            },
        ),
        ("UpdateItem", {"Key": KEY, "UpdateExpression": "SET broken"}),
        ("Query", of_job),
        ("Query", {**of_job, "ScanIndexForward": False, "Limit": 2, "ConsistentRead": True}),
        ("Query", {**of_job, "Limit": 2, "ExclusiveStartKey": {"PK": {"S": "JOB#1"}, "SK": {"S": "EVT#001"}}}),
        ("Query", {**of_job, "Select": "COUNT"}),
        ("Query", {**of_job, "FilterExpression": "attribute_exists(deep)", "ProjectionExpression": "SK"}),
        ("Query", {"KeyConditionExpression": "PK = :p", "ExpressionAttributeValues": {":p": {"S": "nobody"}}}),
        after("SK > :0", "EVT#002"),
        after("SK > :0", "EVT#002", Limit=1),
        after("SK >= :0", "EVT#002", ScanIndexForward=False, Limit=3),
        after("SK < :0", "EVT#002"),
        after("SK <= :0", "EVT#002"),
        after("SK = :0", "EVT#002"),
        after("SK BETWEEN :0 AND :1", "EVT#002", "EVT#004"),
        after("begins_with(SK, :0)", "EVT#"),
        after("begins_with(SK, :0)", "EVT#00", ScanIndexForward=False),
        after("SK BETWEEN :0 AND :1", "EVT#004", "EVT#002"),
        after("SK > :0", ""),
        after("size > :0", "EVT#002"),
        after("SK > :0", "EVT#002", ExpressionAttributeNames={"#unused": "x"}),
        ("DeleteItem", {"Key": event(4)}),
        after("SK >= :0", "EVT#003"),
        (
            "PutItem",
            {"Item": event(4, data={"B": "aGVsbG8="}, deep={"M": {"B": {"B": "AAE="}, "bs": {"BS": ["AA=="]}}})},
        ),
        ("PutItem", {"Item": event(40, data={"B": "aGVsbG8="})}),
        after("SK >= :0", "EVT#003"),
        ("GetItem", {"Key": event(40)}),
        (
            "UpdateItem",
            {"Key": event(41), "UpdateExpression": "SET a = :a", "ExpressionAttributeValues": {":a": {"S": "ä"}}},
        ),
        ("UpdateItem", {"Key": event(41), "UpdateExpression": "SET a = :a REMOVE a, c", **equals}),
        (
            "UpdateItem",
            {"Key": event(41), "UpdateExpression": "REMOVE a, c", "ConditionExpression": "attribute_exists(PK)"},
        ),
        ("DeleteItem", {"Key": event(40)}),
        ("DeleteItem", {"Key": event(41)}),
        ("PutItem", {"Item": event(4, data={"S": "text 4"}, deep=nested)}),
        (
            "Query",
            {
                "IndexName": "ByOwner",
                "KeyConditionExpression": "#o = :o",
                "ExpressionAttributeNames": {"#o": "owner"},
                "ExpressionAttributeValues": {":o": {"S": "alice"}},
                "ScanIndexForward": False,
            },
        ),
        ("BatchGetItem", {"RequestItems": {"T": {"Keys": [KEY, {"PK": {"S": "JOB#2"}, "SK": {"S": "META"}}]}}}),
        (
            "TransactWriteItems",
            {
                "TransactItems": [
                    {"Put": {"TableName": "T", "Item": event(7), **absent}},
                    {"Delete": {"TableName": "T", "Key": event(0)}},
                    {
                        "Update": {
                            "TableName": "T",
                            "Key": KEY,
                            "UpdateExpression": "SET n = :n",
                            "ExpressionAttributeValues": {":n": {"N": "9"}},
                        }
                    },
                ]
            },
        ),
        (
            "TransactWriteItems",
            {
                "TransactItems": [
                    {"Put": {"TableName": "T", "Item": event(8)}},
                    {
                        "Update": {
                            "TableName": "T",
                            "Key": KEY,
                            "UpdateExpression": "SET n = :n",
                            "ExpressionAttributeValues": {":n": {"N": "10"}},
                        }
                    },
                    {"Put": {"TableName": "T", "Item": event(7), **absent}},
                ]
            },
        ),
        ("Query", of_job),
        # An item may have 400 kB, regardless of its earlier size.
        ("PutItem", {"Item": event(9, data={"S": "x" * 410_000})}),
        *(
            (
                "UpdateItem",
                {"Key": KEY, "UpdateExpression": f"SET {name} = :v", "ExpressionAttributeValues": {":v": value}},
            )
            for name, value in (("a", large), ("b", large), ("a", small), ("b", large), ("a", large))
        ),
        *expressions(),
        ("DeleteItem", {"Key": KEY, "ConditionExpression": "#s = :v", **equals}),
        ("DeleteItem", {"Key": KEY, "ReturnValues": "ALL_OLD"}),
        ("DeleteItem", {"Key": KEY}),
        ("GetItem", {"Key": KEY}),
        ("Query", {**of_job, "TableName": "missing"}),
    ]


def expressions() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield updates and filters: each expression with several values, because what is kept of it has none of them."""
    names = {"#s": "status", "#l": "list"}
    key = {"PK": {"S": "JOB#1"}, "SK": {"S": "EXPRESSIONS"}}
    values = {":a": {"S": "one"}, ":b": {"S": "two ä"}, ":n": {"N": "2"}, ":l": {"L": [{"S": "x"}]}}
    others = {":a": {"S": "zwei"}, ":b": {"N": "3"}, ":n": {"N": "-1.5"}, ":l": {"L": []}}
    sets = {
        ":t": {"SS": ["x"]},
        ":m": {"M": {"deep": {"L": [{"N": "1"}]}}},
        ":f": {"BOOL": False},
        ":0": {"NULL": True},
    }

    def used(text: str, given: dict[str, Any]) -> dict[str, Any]:
        found = re.findall(r"[:#]\w+", text)
        own = {
            "ExpressionAttributeNames": {name: names[name] for name in found if name in names},
            "ExpressionAttributeValues": {name: given[name] for name in found if name in given},
        }
        return {name: value for name, value in own.items() if value}

    for given in ({**values, **sets}, {**others, **sets}, {**values, **sets}):
        for update in (
            "SET a = :a, #s = :b, n = :n, #l = :l, m = :m, f = :f, z = :0",
            "SET a = if_not_exists(a, :b), c = if_not_exists(c, :a), n = n + :n, k = n - :n",
            "SET #l = list_append(#l, :l), m.deep[0] = :n, m.deep[7] = :a REMOVE c, m.deep[1]",
            "SET m.other = :m ADD n :n, t :t",
            "ADD t :t DELETE u :t",
            "DELETE t :t REMOVE #l[0], #l[1]",
            "SET a = :a, a = :b",
            "SET #s = :a, #s = :b",
            "SET m.x = :a, m = :m",
            "SET a = :a SET #s = :b",
            "SET missing.deep = :a",
            "SET a = missing",
            "SET n = a + :n",
            "SET SK = :a",
            "SET size = :a",
            "SET a = :undefined",
            "SET owner = :n",
            "SET #l = list_append(missing, :l)",
        ):
            for returned in ("NONE", "ALL_NEW", "UPDATED_NEW", "UPDATED_OLD"):
                yield (
                    "UpdateItem",
                    {"Key": key, "UpdateExpression": update, "ReturnValues": returned, **used(update, given)},
                )
        for condition in (
            "a = :a AND #s <> :b",
            "NOT (n < :n OR n >= :n)",
            "a IN (:a, :b) OR n BETWEEN :n AND :n",
            "begins_with(a, :a) AND contains(t, :a) AND attribute_type(a, :a)",
            "size(a) > :n AND attribute_exists(m.deep[0]) AND attribute_not_exists(#s)",
            "m = :m OR t = :t OR f = :f OR z = :0 OR #l = :l",
            "a BETWEEN :0 AND :0",
            "((a = :a))",
            "a = :undefined",
            "a = #undefined",
            "size = :a",
            "a = ",
        ):
            shown = {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
            yield "PutItem", {"Item": {**key, "a": {"S": "x"}}, **shown, **used(condition, given)}
            yield "DeleteItem", {"Key": {**key, "SK": {"S": "none"}}, **shown, **used(condition, given)}
            filtered = {"KeyConditionExpression": "PK = :p", "FilterExpression": condition, **used(condition, given)}
            filtered["ExpressionAttributeValues"] = {**filtered.get("ExpressionAttributeValues", {}), ":p": key["PK"]}
            yield "Query", filtered
    # A transaction that is refused undoes its changes of sets, lists and maps, which moto makes in place.
    changes = {":t": {"SS": ["undone"]}, ":l": {"L": [{"S": "undone"}]}, ":n": {"S": "undone"}}
    start = {**key, "t": {"SS": ["kept"]}, "list": {"L": [{"S": "kept"}]}, "m": {"M": {"deep": {"S": "kept"}}}}
    undone = {
        "TableName": "T",
        "Key": key,
        "ExpressionAttributeValues": changes,
        "ExpressionAttributeNames": {"#l": "list"},
    }
    undone["UpdateExpression"] = "SET #l = list_append(#l, :l), m.deep = :n ADD t :t"
    refused = {"TableName": "T", "Item": start, "ConditionExpression": "attribute_not_exists(PK)"}
    yield "PutItem", {"Item": start}
    yield "TransactWriteItems", {"TransactItems": [{"Update": undone}, {"Put": {**refused, "Item": KEY}}]}
    yield "GetItem", {"Key": key}


def send(app: Any, operation: str, body: dict[str, Any]) -> tuple[int, Any]:
    headers = {
        "X-Amz-Target": f"DynamoDB_20120810.{operation}",
        "Authorization": "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=a",
    }
    response = Client(app).post("/", data=json.dumps(body), headers=headers, content_type="application/x-amz-json-1.0")
    return response.status_code, json.loads(response.data)


def create_table(app: Any) -> None:
    """Create the script's table again."""
    dynamodb_backends["123456789012"]["us-east-1"].tables.pop("T", None)
    names = ("PK", "SK", "owner", "at")
    index = {
        "IndexName": "ByOwner",
        "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }
    definition = {
        "TableName": "T",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in names],
        "KeySchema": [{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        "GlobalSecondaryIndexes": [index],
    }
    assert send(app, "CreateTable", definition)[0] == 200


def play(app: Any) -> list[tuple[int, Any]]:
    """Return the script's responses on a new table."""
    create_table(app)
    bodies = (
        (operation, body if "RequestItems" in body or "TransactItems" in body else {"TableName": "T", **body})
        for operation, body in script()
    )
    return [outcome(app, operation, body) for operation, body in bodies]


def outcome(app: Any, operation: str, body: dict[str, Any]) -> tuple[int, Any]:
    """Return the response, or the exception of a request that moto itself fails on."""
    try:
        return send(app, operation, body)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        return 500, repr(error)


def test_every_dynamodb_shortcut_returns_what_moto_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = play(DomainDispatcherApplication(create_backend_app))
    for owner, name, shortcut in moto_dynamodb.SHORTCUTS:
        monkeypatch.setattr(owner, name, shortcut, raising=False)
    answered = play(Aws(None))
    for (operation, body), want, got in zip(script(), expected, answered, strict=True):
        if "ReturnConsumedCapacity" not in body and isinstance(want[1], dict):
            want[1].pop("ConsumedCapacity", None)  # moto returns it without being asked, and AWS does not
        assert got == want, (operation, body)
    assert {status for status, _ in answered} == {200, 400, 500}


def test_numbers_come_back_as_dynamodb_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name, shortcut in moto_dynamodb.SHORTCUTS:
        monkeypatch.setattr(owner, name, shortcut, raising=False)
    app = Aws(None)
    create_table(app)
    given = {"a": "1.0", "b": "0.50", "c": "-0", "d": "007", "e": "100"}
    item = {**KEY, **{name: {"N": number} for name, number in given.items()}}
    assert send(app, "PutItem", {"TableName": "T", "Item": item})[0] == 200
    added = {"UpdateExpression": "ADD a :x, f :x", "ExpressionAttributeValues": {":x": {"N": "2.50"}}}
    status, response = send(app, "UpdateItem", {"TableName": "T", "Key": KEY, "ReturnValues": "ALL_NEW", **added})
    assert status == 200
    numbers = {name: value["N"] for name, value in response["Attributes"].items() if name not in KEY}
    assert numbers == {"a": "3.5", "b": "0.5", "c": "0", "d": "7", "e": "100", "f": "2.5"}


def test_what_moto_changes_in_place_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name, shortcut in moto_dynamodb.SHORTCUTS:
        monkeypatch.setattr(owner, name, shortcut, raising=False)
    app = Aws(None)
    create_table(app)
    assert send(app, "PutItem", {"TableName": "T", "Item": {**KEY, "l": {"L": []}}})[0] == 200
    grown = {
        "Key": KEY,
        "UpdateExpression": "SET l = list_append(l, :l)",
        "ExpressionAttributeValues": {":l": {"L": [{"S": "x" * 9000}]}},
    }
    assert send(app, "UpdateItem", {"TableName": "T", **grown})[0] == 200
    read = {"TableName": "T", "Key": KEY, "ConsistentRead": True, "ReturnConsumedCapacity": "TOTAL"}
    _, response = send(app, "GetItem", read)
    assert response["ConsumedCapacity"]["CapacityUnits"] == 3


def test_no_response_comes_before_the_published_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("local.aws.dynamodb_latency.draw", {"PutItem": 500.0, "GetItem": 0.0}.get)
    monkeypatch.setattr("local.aws.server.time.sleep", waited.append)
    app = Aws(None, published_latency=True)
    assert send(app, "PutItem", {"TableName": "nothing", "Item": KEY})[0] == 400
    assert send(app, "GetItem", {"TableName": "nothing", "Key": KEY})[0] == 400
    longer, shorter = waited
    assert 400 < longer < 500  # minus the time of the call itself
    assert shorter == 0


# ---- DynamoDB on the running server --------------------------------------------------------------------------------


def test_twenty_concurrent_writers_lose_no_event(stack: LocalStack) -> None:
    dynamodb = stack.client("dynamodb")
    refused: list[str] = []

    def write(writer: int) -> None:
        with DynamoDbCalls(stack.aws_url) as calls:
            for number in range(20):
                item = {"PK": {"S": f"JOB#writers-{writer}"}, "SK": {"S": f"EVT#{number}"}}
                calls.call("PutItem", TableName="millrace-Things", Item=item)
                # All writers append at the same sequence number.
                contested = {"PK": {"S": "JOB#contested"}, "SK": {"S": f"EVT#{number}"}, "by": {"N": str(writer)}}
                unless_there = {"Item": contested, "ConditionExpression": "attribute_not_exists(PK)"}
                status, response = calls.send("PutItem", TableName="millrace-Things", **unless_there)
                if status != 200:
                    refused.append(response["__type"].rpartition("#")[2])

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["ConditionalCheckFailedException"] * 19 * 20
    for writer in [*(f"writers-{number}" for number in range(20)), "contested"]:
        values = {":p": {"S": f"JOB#{writer}"}}
        found = dynamodb.query(
            TableName="millrace-Things", KeyConditionExpression="PK = :p", ExpressionAttributeValues=values
        )
        assert found["Count"] == 20


def test_the_stack_counts_the_capacity_of_each_partition(stack: LocalStack) -> None:
    dynamodb, table = stack.client("dynamodb"), "millrace-Things"
    key = {"PK": {"S": "JOB#metered"}, "SK": {"S": "META"}}
    dynamodb.put_item(TableName=table, Item={**key, "data": {"S": "x" * 2000}})  # 2
    with pytest.raises(ClientError):  # 2: the stored item counts
        dynamodb.put_item(TableName=table, Item=key, ConditionExpression="attribute_not_exists(PK)")
    dynamodb.get_item(TableName=table, Key=key)  # 0.5
    dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)  # 1
    values = {":p": key["PK"]}
    dynamodb.query(TableName=table, KeyConditionExpression="PK = :p", ExpressionAttributeValues=values)  # 0.5
    dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": table, "Item": {**key, "SK": {"S": "2"}}}}])  # 2
    dynamodb.delete_item(TableName=table, Key=key)  # 2
    assert stack.capacity("metered") == {"writeUnits": 8.0, "readUnits": 2.0, "requests": 7}


def test_boto3_reports_an_injected_fault_as_throttling(stack: LocalStack) -> None:
    dynamodb = stack.client("dynamodb")
    key = {"PK": {"S": "JOB#fault"}, "SK": {"S": "META"}}
    stack.inject_fault("PutItem", count=1, error="ConditionalCheckFailedException")
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(TableName="millrace-Things", Item=key)
    stack.inject_fault("PutItem", count=1)
    answer = dynamodb.put_item(TableName="millrace-Things", Item=key)  # boto3 repeats the request
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1


def test_moto_itself_handles_other_operations_and_binary_values(stack: LocalStack) -> None:
    dynamodb = stack.client("dynamodb")
    key = {"PK": {"S": "JOB#binary"}, "SK": {"S": "META"}}
    dynamodb.put_item(TableName="millrace-Things", Item={**key, "raw": {"B": b"\x00\xff"}})
    item = dynamodb.get_item(TableName="millrace-Things", Key=key)["Item"]
    assert item["raw"]["B"] == b"\x00\xff"
    ttl = dynamodb.describe_time_to_live(TableName="millrace-Things")["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expiresAt"}


# ---- Step Functions ------------------------------------------------------------------------------------------------


def execute(stack: LocalStack, name: str, event: dict[str, Any], machine: str = "millrace-work") -> dict[str, Any]:
    stepfunctions = stack.client("stepfunctions")
    arn = f"arn:aws:states:us-east-1:123456789012:stateMachine:{machine}"
    execution = stepfunctions.start_execution(stateMachineArn=arn, name=name, input=json.dumps(event))["executionArn"]

    def ended() -> dict[str, Any] | None:
        description = dict(stepfunctions.describe_execution(executionArn=execution))
        return description if description["status"] != "RUNNING" else None

    found = wait_until(ended)
    assert found is not None
    return found


def variant(stack: LocalStack, name: str, **changes: Any) -> str:
    """Create the fixture's state machine with another Work state, and return its name."""
    stepfunctions = stack.client("stepfunctions")
    arn = "arn:aws:states:us-east-1:123456789012:stateMachine:millrace-work"
    definition = json.loads(stepfunctions.describe_state_machine(stateMachineArn=arn)["definition"])
    for path, value in changes.items():
        definition["States"]["Work"][path] = value
    stepfunctions.create_state_machine(
        name=name, definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/local"
    )
    return name


def test_a_retried_state_sees_its_retry_count(stack: LocalStack) -> None:
    done = execute(stack, "retried", {"do": "fail twice", "marker": None})
    assert done["status"] == "SUCCEEDED"
    assert json.loads(done["output"])["result"]["retry"] == 2
    failures = [entry for entry in stack.history(done["executionArn"]) if entry["type"] == "TaskFailed"]
    causes = [json.loads(entry["taskFailedEventDetails"]["cause"])["errorMessage"] for entry in failures]
    assert causes == ["attempt 0", "attempt 1"]


def test_a_caught_failure_ends_in_fail_with_the_class_name_and_cause(stack: LocalStack) -> None:
    failed = execute(stack, "caught", {"do": "break", "marker": None})
    assert (failed["status"], failed["error"]) == ("FAILED", "Broken")
    assert json.loads(failed["cause"])["errorMessage"] == "permanently"
    assert stack.transitions(failed["executionArn"]) == 2


def test_executions_of_one_definition_do_not_share_their_retries(stack: LocalStack) -> None:
    first = execute(stack, "own-retries-1", {"do": "fail twice", "marker": None})
    second = execute(stack, "own-retries-2", {"do": "fail twice", "marker": None})
    assert [json.loads(done["output"])["result"]["retry"] for done in (first, second)] == [2, 2]


def test_a_states_timeout_seconds_ends_it_and_is_caught(stack: LocalStack) -> None:
    machine = variant(stack, "impatient", TimeoutSeconds=1, Retry=[])
    failed = execute(stack, "impatient", {"do": "hang", "marker": None}, machine)
    events = {entry["type"]: entry for entry in stack.history(failed["executionArn"])}
    assert events["TaskTimedOut"]["taskTimedOutEventDetails"]["error"] == "States.Timeout"
    caught = json.loads(events["FailStateEntered"]["stateEnteredEventDetails"]["input"])["failure"]
    assert caught == {"Error": "States.Timeout", "Cause": ""}
    # moto does not pass a States.* name on from a Fail state, but the execution fails.
    assert (failed["status"], failed["error"]) == ("FAILED", "States.Runtime")


def test_a_throttled_function_is_a_too_many_requests_error(stack: LocalStack) -> None:
    parameters = {"FunctionName": "millrace-closed", "Payload": {"do.$": "$.do"}}
    machine = variant(stack, "throttled", Parameters=parameters, Retry=[])
    failed = execute(stack, "throttled", {"do": "nothing", "marker": None}, machine)
    assert failed["error"] == "Lambda.TooManyRequestsException"


def test_the_same_name_and_input_start_one_execution(stack: LocalStack) -> None:
    first = execute(stack, "once", {"do": "succeed", "marker": None})
    stepfunctions = stack.client("stepfunctions")
    arn = "arn:aws:states:us-east-1:123456789012:stateMachine:millrace-work"
    with pytest.raises(stepfunctions.exceptions.ExecutionAlreadyExists):
        stepfunctions.start_execution(stateMachineArn=arn, name="once", input='{"do": "break", "marker": null}')
    assert execute(stack, "another", {"do": "succeed", "marker": None})["executionArn"] != first["executionArn"]


def test_each_execution_gets_its_own_copy_of_a_program_that_is_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    moto_stepfunctions.install_parser_cache()
    parser = sys.modules["moto.stepfunctions.parser.asl.parse.asl_parser"]
    preprocessor = sys.modules["moto.stepfunctions.parser.asl.parse.preprocessor"]
    definition = json.dumps({"StartAt": "Stop", "States": {"Stop": {"Type": "Succeed"}}})
    first, _ = vars(parser)["AmazonStateLanguageParser"].parse(definition)
    monkeypatch.setattr(vars(preprocessor)["Preprocessor"], "visit", None)
    again, _ = vars(parser)["AmazonStateLanguageParser"].parse(definition)
    assert type(again) is type(first)
    assert again is not first


def test_the_import_of_the_interpreter_does_not_load_ec2() -> None:
    moto_stepfunctions.install_parser_cache()
    assert "moto.stepfunctions.parser.asl.parse.asl_parser" in sys.modules
    assert not re.search(r"moto\.(ec2|batch)\b", " ".join(sys.modules))


# ---- Lambda, Secrets Manager, S3 -----------------------------------------------------------------------------------


def test_the_function_host_gets_lambda_invocations(stack: LocalStack) -> None:
    client = stack.client("lambda")
    answer = client.invoke(FunctionName="millrace-work", Payload=b'{"do": "succeed"}')
    assert json.loads(answer["Payload"].read())["functionName"] == "millrace-work"
    failed = client.invoke(FunctionName="millrace-work", Payload=b'{"do": "break"}')
    assert failed["FunctionError"] == "Unhandled"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="millrace-nothing")


def test_an_arn_without_its_suffix_finds_the_secret(stack: LocalStack) -> None:
    secrets = stack.client("secretsmanager")
    secrets.create_secret(Name="s", SecretString="value")
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:s"
    assert secrets.get_secret_value(SecretId=arn)["SecretString"] == "value"


def test_the_http_server_stores_and_returns_objects_unchanged(stack: LocalStack) -> None:
    s3 = stack.client("s3")
    s3.create_bucket(Bucket="bucket")
    body = bytes(range(256)) * 4096
    s3.put_object(Bucket="bucket", Key="jobs/a b/ü", Body=body, Metadata={"kind": "x"})
    found = s3.get_object(Bucket="bucket", Key="jobs/a b/ü")
    assert (found["Body"].read(), found["Metadata"]) == (body, {"kind": "x"})
    assert s3.head_object(Bucket="bucket", Key="jobs/a b/ü")["ContentLength"] == len(body)
