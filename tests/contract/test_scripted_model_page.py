"""docs/scripted-model.md describes the scripted model as it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from local.model.behaviour import Behaviour
from local.model.calls import PlannedCall, Reply
from local.model.offered_tools import OfferedTool
from local.model.prompt import Prompt

PAGE = (Path(__file__).parents[2] / "docs/scripted-model.md").read_text()


def test_the_tables_name_every_setting_and_no_other() -> None:
    rows = re.findall(r"^\| (`[^|]*) \|", PAGE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)(?:=[^`]*)?`", row)} - {"None"}
    assert named == set(Behaviour.model_fields) - {"error_code", "retry_after"}
    assert all(f"`{name}=" in PAGE for name in ("error_code", "retry_after"))


def test_its_examples_are_readable_settings() -> None:
    for name, value in re.findall(r'`(\w+)=([\d.]+|"[^"]*")`', PAGE):
        if name != "times":
            Behaviour.model_validate({name: value.strip('"')})


def test_its_example_of_an_application_works() -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"Any": Any, "Prompt": Prompt, "Reply": Reply, "PlannedCall": PlannedCall}
    exec(code, names)
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Count the rows."}]

    def answer() -> Any:
        return names["answer"](Prompt("m", messages, {}, None, tools=(OfferedTool("read", "", {}),)))

    assert answer() == Reply("Let me read.", (PlannedCall("read"),))
    messages += [
        {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "name": "read", "arguments": "{}"}]},
        {"role": "tool", "tool_call_id": "c", "content": '{"ok": true, "summary": "3 rows"}'},
    ]
    assert answer() == "It says: 3 rows."
