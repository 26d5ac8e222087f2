"""Every way in which the images of projects use AWS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.api_user import data_of, refusal, wait_until
from tests.fakes.png import png_of
from tests.forms import post_form
from tests.permissions.world import World

PNG = png_of(1, 2, 3)
DURABLE_TABLE = "millrace-DurableTable"


def use_images(world: World, project_id: str) -> None:
    """Announce, upload, complete, refuse and read images, and complete one whose project is deleted meanwhile."""
    path = f"/projects/{project_id}/images"
    ready = _announced(world, path)
    refusal(world.user.api.post(f"{path}/{ready['imageId']}/complete"), 409, "CONFLICT")
    _send(ready, PNG)
    completed = data_of(world.user.api.post(f"{path}/{ready['imageId']}/complete"))
    refused = _announced(world, path)
    _send(refused, b"x" * len(PNG))
    refusal(world.user.api.post(f"{path}/{refused['imageId']}/complete"), 422, "IMAGE_REFUSED")
    for image in (completed, world.get(f"{path}/{ready['imageId']}"), *world.get(path)["images"]):
        if image["contentUrl"] is not None:
            assert world.user.api.get(image["contentUrl"], headers={"Authorization": ""}).content == PNG
    _lost_image(world, path, project_id)


def a_ready_image(world: World, path: str) -> str:
    """Upload an image, complete it, and return its id."""
    announced = _announced(world, path)
    _send(announced, PNG)
    return str(data_of(world.user.api.post(f"{path}/{announced['imageId']}/complete"))["imageId"])


def _announced(world: World, path: str) -> dict[str, Any]:
    body = {"name": "logo.png", "contentType": "image/png", "bytes": len(PNG)}
    announced: dict[str, Any] = data_of(world.user.api.post(path, json=body), 201)
    return announced


def _send(announced: dict[str, Any], content: bytes) -> None:
    upload = announced["upload"]
    assert post_form(upload["url"], upload["fields"], content) == (204, "")


def _lost_image(world: World, path: str, project_id: str) -> None:
    """Remove an image, as the deletion of its project does, while the function reads what was uploaded."""
    lost = _announced(world, path)
    _send(lost, PNG)
    with ThreadPoolExecutor(1) as pool:
        with world.stack.holding("GET", executed=True, function="CompleteImageFunction") as held:
            completing = pool.submit(world.user.api.post, f"{path}/{lost['imageId']}/complete")
            wait_until(held)
            key = {"PK": {"S": f"PROJECT#{project_id}"}, "SK": {"S": f"IMG#{lost['imageId']}"}}
            world.stack.client("dynamodb").delete_item(TableName=DURABLE_TABLE, Key=key)
        refusal(completing.result(), 404, "NOT_FOUND")
