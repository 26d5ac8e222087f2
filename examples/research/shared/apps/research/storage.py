"""Store notebooks in the durable table: one item each."""

from __future__ import annotations

from shared.apps.research.notebooks import Notebook
from shared.jobs.store import PreparedWrites
from shared.storage.attributes import Item, from_item, to_attribute, to_item
from shared.storage.aws import dynamodb, storage_faults
from shared.storage.items import read_item


class DynamoNotebooks:
    """The NotebookStore on a DynamoDB table; the port describes the methods."""

    def __init__(self, table: str) -> None:
        self._table = table

    def get(self, notebook_id: str) -> Notebook | None:
        item = read_item(self._table, _key(notebook_id))
        return Notebook.model_validate_json(from_item(item)["notebook"]) if item else None

    def put_new(self, notebook: Notebook) -> None:
        with storage_faults():
            dynamodb().put_item(TableName=self._table, Item=_item(notebook))

    def prepare(self, notebook: Notebook) -> PreparedWrites:
        put = {
            "TableName": self._table,
            "Item": _item(notebook),
            "ConditionExpression": "revision = :before",
            "ExpressionAttributeValues": {":before": to_attribute(notebook.revision - 1)},
        }
        return PreparedWrites(({"Put": put},))


def _key(notebook_id: str) -> dict[str, str]:
    return {"PK": f"NOTEBOOK#{notebook_id}", "SK": "NOTEBOOK"}


def _item(notebook: Notebook) -> Item:
    return to_item({**_key(notebook.id), "revision": notebook.revision, "notebook": notebook.model_dump_json()})
