"""What the scripted model does in a chat about a workbook: it plans tool calls by patterns in the person's message.

It knows totals and other figures by groups, a new column, sorting, filtering, clearing, searching, reading, undo, and
what is in the workbook. Its last text quotes the figures of the results.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from local.model.calls import MadeCall, PlannedCall, Reply
from local.model.prompt import Prompt

_WORKBOOK: Final = "The workbook, as data:\n"
_LABEL: Final = "(This is the scripted model, no AI.)"
_HELP: Final = (
    "The scripted model plans by patterns: “total of Units by Region”, “add a column Total = Units * Price”, “sort by "
    "Price descending”, “show only rows where Region is North”, “clear B2:B9”, “find bolt”, “read A1:C5”, “undo”, "
    "“what is in the workbook?”."
)
_FUNCTIONS: Final = {
    "total": "sum", "sum": "sum", "average": "avg", "mean": "avg", "median": "median", "minimum": "min",
    "lowest": "min", "maximum": "max", "highest": "max", "count": "count", "number": "count",
}  # fmt: skip
_FIGURE: Final = re.compile(
    rf"\b(?P<fn>{'|'.join(_FUNCTIONS)})\s+(?:of\s+)?(?:the\s+)?(?:column\s+)?(?P<column>[^?.!;,\n]+?)"
    r"(?:\s+(?:by|per|for each)\s+(?P<group>[^?.!;,\n]+?))?\s*(?:[?.!;,\n]|$)",
    re.IGNORECASE,
)
_COLUMN: Final = re.compile(
    r"\badd (?:a|the) column\s+[“\"']?(?P<name>[^=“”\"'\n]+?)[”\"']?\s*=\s*(?P<formula>[^?!;\n]+)", re.IGNORECASE
)
_SORT: Final = re.compile(
    r"\bsort\b.*?\bby\s+(?P<column>[^?.!;,\n]+?)(?P<down>\s+desc\w*|, (?:highest|largest) first)?\s*(?:[?.!;,\n]|$)",
    re.IGNORECASE,
)
_FILTER: Final = re.compile(
    r"\b(?:filter|show only|copy)\b.*?\bwhere\s+(?P<column>.+?)\s+(?P<op>is not|is|=|>=|<=|>|<|contains)\s+"
    r"[“\"']?(?P<value>[^?!;\n“”\"']+?)[”\"']?(?:\s+to (?:a|the) new sheet\s*(?P<sheet>\w[\w ]*)?)?\s*(?:[?!;\n]|\.?$)",
    re.IGNORECASE,
)
_OPS: Final = {"is": "eq", "=": "eq", "is not": "ne", ">": "gt", "<": "lt", ">=": "ge", "<=": "le"}
_RANGE: Final = r"(?:(?P<sheet>'[^']+'|\w+)!)?(?P<range>[A-Za-z]{1,3}\d*(?::[A-Za-z]{1,3}\d*)?)\b"
_CLEAR: Final = re.compile(rf"\bclear\s+(?:the range\s+)?{_RANGE}", re.IGNORECASE)
_READ: Final = re.compile(rf"\bread\s+{_RANGE}", re.IGNORECASE)
_FIND: Final = re.compile(
    r"\b(?:find|search for)\s+[“\"']?(?P<text>[^?!;\n“”\"']+?)[”\"']?\s*(?:[?.!;\n]|$)", re.IGNORECASE
)
_SQL: Final = re.compile(r"\b(?P<sql>select\s.+?)(?:;\s*$|\s*$)", re.IGNORECASE | re.DOTALL)
_WHAT: Final = re.compile(r"\b(what is in|what's in|describe|which columns|which sheets)\b", re.IGNORECASE)
_UNDO: Final = re.compile(r"\bundo\b", re.IGNORECASE)
_QUOTED: Final = re.compile(r"“([^”]+)”")
_FREE: Final = re.compile(r"first free column is ([A-Z]{1,3})")
_CELL: Final = re.compile(r"([A-Z]{1,3})(\d+)")
_ROWS_IN_TEXT: Final = 12

Sheet = dict[str, Any]


def answer(prompt: Prompt) -> Any:
    """Return the calls of this turn, or the text when none is left; None for a prompt of another application."""
    workbook = _workbook_of(prompt)
    if workbook is None:
        return None
    offered = {tool.name for tool in prompt.tools} if prompt.tool_choice != "none" else set()
    made = [call for turn in prompt.turns for call in turn]
    calls = tuple(call for call in _next_calls(prompt.request, workbook, made) if call.name in offered)
    if calls:
        return Reply("" if made else "Let me look.\n\n", calls)
    return _report(made)


def correct(failed: MadeCall) -> PlannedCall | None:
    """Return the call that follows the hint of a failed one: the nearest name, or the first free column."""
    hint = str(failed.error.get("hint") or "")
    arguments = _arguments_of(failed)
    match failed.error.get("code"):
        case "UNKNOWN_SHEET" | "UNKNOWN_COLUMN" if (names := _QUOTED.findall(hint)) and not hint.startswith("use one"):
            wrong = re.search(r"'([^']+)'", str(failed.error.get("message")))
            corrected = _with_name(arguments, wrong[1], names[0]) if wrong else arguments
        case "WOULD_OVERWRITE" if free := _FREE.search(hint):
            corrected = _in_column(arguments, free[1])
        case _:
            return None
    return None if corrected == arguments else _call(failed.call.name, **corrected)


def _workbook_of(prompt: Prompt) -> list[Sheet] | None:
    """Return the sheets that the prompt describes; None if it describes no workbook."""
    for text in prompt.user_messages:
        if text.startswith(_WORKBOOK):
            return list(json.loads(text.removeprefix(_WORKBOOK))["sheets"])
    return None


def _next_calls(request: str, sheets: list[Sheet], made: Sequence[MadeCall]) -> tuple[PlannedCall, ...]:
    if found := _COLUMN.search(request):
        return _new_column(found, request, sheets, made)
    if made:
        return ()
    for pattern, plan in _PLANS:
        if found := pattern.search(request):
            return (plan(found, _sheet_of(request, sheets)),)
    return ()


def _new_column(
    found: re.Match[str], request: str, sheets: list[Sheet], made: Sequence[MadeCall]
) -> tuple[PlannedCall, ...]:
    """Return the look at the sheet, then the header and the formula of all rows in the first free column."""
    if not made:
        return (_call("describe_workbook", sheet=_sheet_of(request, sheets)["sheet"]),)
    sheet = made[0].result.get("data")
    if len(made) > 1 or not sheet or not sheet.get("fields"):
        return ()
    first, last = _rows_of(sheet)
    column = _letters(int(sheet["columns"]) + 1)
    formula = "=" + _with_cells(found["formula"].strip().rstrip("."), sheet["fields"], first)
    calls = []
    if isinstance(sheet["headerRow"], int):
        start = f"{column}{sheet['headerRow']}"
        calls.append(_call("write_range", sheet=sheet["sheet"], start=start, values=[[found["name"].strip()]]))
    cells = f"{column}{first}:{column}{last}"
    return (*calls, _call("write_formula", sheet=sheet["sheet"], range=cells, formula=formula))


def _with_cells(expression: str, fields: Sequence[dict[str, Any]], row: int) -> str:
    """Return the expression with the cells of this row instead of the columns' names."""
    cells = {field["name"].casefold(): f"{field['column']}{row}" for field in fields}
    names = "|".join(re.escape(name) for name in sorted(cells, key=len, reverse=True))
    return re.sub(rf"(?<!\w)(?:{names})(?!\w)", lambda name: cells[name[0].casefold()], expression, flags=re.IGNORECASE)


def _figure(found: re.Match[str], sheet: Sheet) -> PlannedCall:
    measure = {"column": _field(found["column"], sheet), "fn": _FUNCTIONS[found["fn"].lower()]}
    groups = [_field(each, sheet) for each in re.split(r"\s+and\s+", found["group"])] if found["group"] else []
    arguments: dict[str, Any] = {"sheet": sheet["sheet"], "groupBy": groups, "measures": [measure]}
    total = sheet.get("totalRow")
    if total:
        first, last = _rows_of(sheet)
        columns = re.findall(r"[A-Z]+", sheet["data"])
        arguments["range"] = f"{columns[0]}{first}:{columns[-1]}{last - 1}"
    return _call("aggregate", **arguments)


def _sorting(found: re.Match[str], sheet: Sheet) -> PlannedCall:
    first, last = _rows_of(sheet)
    columns = re.findall(r"[A-Z]+", sheet["data"])
    header = sheet["headerRow"] if isinstance(sheet["headerRow"], int) else None
    last -= bool(sheet.get("totalRow"))
    key = {"column": _field(found["column"], sheet), "descending": bool(found["down"])}
    area = f"{columns[0]}{header or first}:{columns[-1]}{last}"
    return _call("sort_range", sheet=sheet["sheet"], range=area, by=[key], hasHeader=header is not None)


def _filtering(found: re.Match[str], sheet: Sheet) -> PlannedCall:
    text = found["value"].strip()
    condition: dict[str, Any] = {
        "column": _field(found["column"], sheet),
        "op": _OPS.get(found["op"].lower(), "contains"),
        "value": float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else text,
    }
    arguments: dict[str, Any] = {"sheet": sheet["sheet"], "where": [condition], "to": "hide"}
    if "new sheet" in found[0].lower():
        arguments |= {"to": "new_sheet", "newSheet": (found["sheet"] or f"{text} rows").strip()[:31]}
    return _call("filter_rows", **arguments)


def _on_range(name: str) -> Callable[[re.Match[str], Sheet], PlannedCall]:
    def plan(found: re.Match[str], sheet: Sheet) -> PlannedCall:
        named = (found["sheet"] or sheet["sheet"]).strip("'")
        return _call(name, sheet=named, range=found["range"].upper())

    return plan


_PLANS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str], Sheet], PlannedCall]], ...]] = (
    (_SQL, lambda found, _: _call("sql_query", query=found["sql"].strip())),
    (_UNDO, lambda *_: _call("undo_last_change")),
    (_SORT, _sorting),
    (_FILTER, _filtering),
    (_CLEAR, _on_range("clear_range")),
    (_READ, _on_range("read_range")),
    (_FIND, lambda found, _: _call("search", text=found["text"])),
    (_FIGURE, _figure),
    (_WHAT, lambda *_: _call("describe_workbook")),
)


def _report(made: Sequence[MadeCall]) -> str:
    """Return the text behind the last call: what each said, with the figures of its result."""
    if not made:
        return f"{_HELP} {_LABEL}"
    return "\n".join([*(line for call in made for line in _lines(call)), _LABEL])


def _lines(call: MadeCall) -> list[str]:
    if not call.ok:
        hint = call.error.get("hint")
        return [f"{call.call.name} failed: {call.error.get('message')}." + (f" Hint: {hint}." if hint else "")]
    data = call.result.get("data") or {}
    lines = [f"{call.result.get('summary')}."]
    if isinstance(data.get("rows"), list):
        head = ", ".join(map(str, data.get("columns") or []))
        rows = [" | ".join(map(str, row)) for row in data["rows"][:_ROWS_IN_TEXT]]
        lines += [*([head] if head else []), *rows]
    for sheet in data.get("sheets") or ([data] if "fields" in data else []):
        lines.append(_described(sheet))
    if data.get("preview"):
        lines.append("Now: " + ", ".join(f"{cell} = {value}" for cell, value in list(data["preview"].items())[:5]))
    found = [f"{each['sheet']}!{each['cell']}: {each['value']}" for each in (data.get("found") or [])[:_ROWS_IN_TEXT]]
    return [*lines, *found, *(f"Note: {warning}." for warning in call.result.get("warnings") or [])]


def _described(sheet: Sheet) -> str:
    fields = ", ".join(f"{each['name']} ({each['type']})" for each in sheet.get("fields") or [])
    return f"{sheet['sheet']}: {sheet['rows']} rows" + (f" with {fields}" if fields else "")


def _sheet_of(request: str, sheets: list[Sheet]) -> Sheet:
    """Return the sheet that the message names, else the first one with content."""
    named = [each for each in sheets if re.search(rf"\b{re.escape(each['sheet'])}\b", request, re.IGNORECASE)]
    return next(iter([*named, *(each for each in sheets if each.get("fields")), *sheets]))


def _field(text: str, sheet: Sheet) -> str:
    """Return the name of the column that the text contains; without one the text, which the tool then refuses."""
    words = text.strip().strip("“”\"'")
    names = sorted((each["name"] for each in sheet.get("fields") or []), key=len, reverse=True)
    exact = next((name for name in names if name.casefold() == words.casefold()), None)
    return exact or next((name for name in names if re.search(rf"\b{re.escape(name)}\b", words, re.IGNORECASE)), words)


def _rows_of(sheet: Sheet) -> tuple[int, int]:
    first, last = (int(cell[1]) for cell in (_CELL.findall(sheet["data"]) * 2)[:2])
    return first, last


def _letters(number: int) -> str:
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _arguments_of(made: MadeCall) -> dict[str, Any]:
    try:
        arguments = json.loads(made.call.arguments)
    except ValueError:
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _with_name(value: Any, wrong: str, right: str) -> Any:
    """Return the arguments with the right name wherever they have the wrong one."""
    if isinstance(value, dict):
        return {key: _with_name(each, wrong, right) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_name(each, wrong, right) for each in value]
    return right if value == wrong else value


def _in_column(arguments: dict[str, Any], column: str) -> dict[str, Any]:
    """Return the arguments with their cells moved to another column."""
    moved = {
        key: _CELL.sub(lambda cell: f"{column}{cell[2]}", arguments[key])
        for key in ("start", "range")
        if isinstance(arguments.get(key), str)
    }
    return {**arguments, **moved}


def _call(name: str, **arguments: Any) -> PlannedCall:
    return PlannedCall(name, json.dumps(arguments, ensure_ascii=False))
