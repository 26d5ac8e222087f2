"""What the scripted model does in the chat of a video project: it decides by keywords and fills scenes that are ready.

`[[code: KIND]]` in a message breaks the first code that is written for it, and `[[code: KIND, twice]]` the repaired
code too; KIND is undefined_name, duplicate, syntax, loop, network, prose, truncated or bad_edit.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from local.model.prompt import Prompt
from local.model.scene_decisions import CODE_FAULT, QUOTED, decided, without_faults

_FOLDER: Final = Path(__file__).parent.parent / "scenes"
_DECISION: Final = "The message and the project, as data:\n"
_MAKE: Final = "What to make, as data:\n"
_COLOURS: Final = {
    "red": "#dc2626", "orange": "#ea580c", "yellow": "#ca8a04", "green": "#16a34a", "teal": "#0d9488",
    "blue": "#1d4ed8", "purple": "#7c3aed", "pink": "#db2777", "black": "#111827", "white": "#ffffff",
}  # fmt: skip
_KINDS: Final = (
    ("bars", r"\bbars?\b|chart|graph|revenue|growth"),
    ("counter", r"counter|count(?:s|ing)? up|number of"),
    ("quote", r"quote|testimonial|saying"),
    ("timeline", r"timeline|roadmap|steps?\b|history"),
    ("list", r"list|features?|points?|benefits?|reasons?|why"),
    ("split", r"split|two halves|compar|versus|outro|call to action|end"),
    ("title", r"title|intro|opening|name|hello|welcome"),
)
_ACCENT: Final = re.compile(r'accent = "(#[0-9a-fA-F]{6})"')
_DAMPING: Final = re.compile(r"damping: \d+")


def answer(prompt: Prompt) -> Any:
    """Return a decision, a brief, a plan or code; None for a prompt of another application."""
    match prompt.schema_name:
        case "scene_decision":
            return decided(_data(prompt, _DECISION))
        case "scene_brief":
            wanted = _data(prompt, _MAKE)
            return _brief(str(wanted["scene"].get("instruction", "")), wanted, 0, prompt)
        case "scene_plan":
            return _plan(_data(prompt, _MAKE), prompt)
        case None if any(text.startswith(_MAKE) for text in prompt.user_messages):
            return _code(prompt)
        case _:
            return None


def _data(prompt: Prompt, label: str) -> dict[str, Any]:
    text = next(text for text in prompt.user_messages if text.startswith(label))
    found: dict[str, Any] = json.JSONDecoder().raw_decode(text.removeprefix(label))[0]
    return found


# ---- briefs ----------------------------------------------------------------------------------------------------------


def _plan(wanted: dict[str, Any], prompt: Prompt) -> dict[str, Any]:
    video = wanted["video"]
    count = int(video["count"])
    embeds = any(each.get("use", "embed") == "embed" for each in wanted.get("images") or ())
    between = ("list", "bars", "quote", "timeline", "counter", "list")
    kinds = ["logo" if embeds else "title", *between[: count - 2], "split"]
    return {
        "scenes": [
            _brief(str(video["instruction"]), wanted, at, prompt, kind=kind) for at, kind in enumerate(kinds[:count])
        ]
    }


def _brief(
    instruction: str, wanted: dict[str, Any], at: int, prompt: Prompt, *, kind: str | None = None
) -> dict[str, Any]:
    """Return the brief of a scene of this kind; its summary says the kind, from which the code is chosen."""
    text = without_faults(instruction)
    embeds = any(each.get("use", "embed") == "embed" for each in wanted.get("images") or ())
    kind = kind or ("logo" if embeds else _kind_of(text))
    props = {"title": _subject(text), "subtitle": "Made by the scripted model", "accent": _accent(text, prompt)}
    points = ["Fast", "Safe", "Open"]
    if kind in {"list", "timeline"}:
        props.pop("subtitle")
    shown: dict[str, Any] = {**props, **({"points": points} if kind in {"list", "timeline"} else {})}
    return {
        "name": f"{kind.capitalize()} {at + 1}" if at else kind.capitalize(),
        "purpose": f"A scene of the kind {kind}",
        "seconds": float(wanted.get("scene", {}).get("seconds") or 4),
        "elements": [kind],
        "palette": [props["accent"]],
        "motion": "springs in",
        "props": [{"key": key, "value": json.dumps(value, ensure_ascii=False)} for key, value in shown.items()],
        "summary": f"{kind}: {props['title']}"[:200],
    }


def _kind_of(text: str) -> str:
    return next((kind for kind, pattern in _KINDS if re.search(pattern, text, re.IGNORECASE)), "title")


def _subject(text: str) -> str:
    """Return the text in quotes, else the name behind `for`, `about` or `called`, else the first words."""
    if quoted := QUOTED.search(text):
        return quoted[1]
    if named := re.search(r"\b(?:for|about|called|of) ((?:our |the )?[A-Z]\w*(?: [A-Z]\w*)*)", text):
        return named[1]
    return " ".join(text.split()[:5])[:60] or "Hello"


def _accent(text: str, prompt: Prompt) -> str:
    """Return the colour that the text names, else the mean colour of an image, else blue."""
    if found := re.search(r"#[0-9a-fA-F]{6}\b", text):
        return found[0]
    named = next((code for word, code in _COLOURS.items() if re.search(rf"\b{word}\b", text, re.IGNORECASE)), None)
    return named or _mean_colour(prompt) or "#1d4ed8"


def _mean_colour(prompt: Prompt) -> str | None:
    """Return the mean colour of the first image whose colour can be read."""
    return next((image.mean_colour for image in prompt.images if image.mean_colour), None)


# ---- code ------------------------------------------------------------------------------------------------------------


def _code(prompt: Prompt) -> str:
    """Return a whole scene or component, or the edits of a present one, broken as the message says."""
    wanted = _data(prompt, _MAKE)
    repair = prompt.request.startswith("This code does not work")
    scene = wanted.get("scene") or wanted.get("component") or {}
    instruction = str(scene.get("instruction", ""))
    present = _present_code(prompt)
    broken = CODE_FAULT.search(instruction)
    kind = broken["kind"] if broken and (not repair or broken["twice"]) else None
    if present is not None and "brief" not in scene:
        return _edit(instruction, present, kind, _mean_colour(prompt), whole=repair)
    return _broken(_filled(wanted, scene.get("brief") or {}, prompt), kind)


def _present_code(prompt: Prompt) -> str | None:
    label = "The present code, as data:\n```tsx\n"
    text = next((text for text in prompt.user_messages if text.startswith(label)), None)
    return None if text is None else text.removeprefix(label).removesuffix("\n```")


def _filled(wanted: dict[str, Any], brief: dict[str, Any], prompt: Prompt) -> str:
    props = brief.get("props") or {}
    kind = (brief.get("elements") or ["counter"])[0]
    kind = kind if (_FOLDER / f"{kind}.tsx").exists() else "title"
    image = next((str(each["imageId"]) for each in wanted.get("images") or ()), "")
    if kind == "logo" and not image:
        kind = "title"
    points = [str(each) for each in props.get("points") or ("Fast", "Safe", "Open")]
    values = {
        "title": str(props.get("title") or brief.get("name") or "Hello"),
        "subtitle": str(props.get("subtitle") or ""),
        "accent": str(props.get("accent") or _accent(str(brief.get("purpose", "")), prompt)),
        "image": image,
        **{f"point{at}": each for at, each in enumerate(points, 1)},
    }
    code = (_FOLDER / f"{kind}.tsx").read_text()
    for name, value in values.items():
        code = code.replace(f'"{{{{{name}}}}}"', json.dumps(value, ensure_ascii=False))
    return code


def _edit(instruction: str, present: str, kind: str | None, mean: str | None, *, whole: bool) -> str:
    """Return edits of a constant: the accent if the text names a colour or an image has one, else the damping."""
    colour = re.search(r"#[0-9a-fA-F]{6}\b", instruction)
    named = next((code for word, code in _COLOURS.items() if re.search(rf"\b{word}\b", instruction.casefold())), None)
    wanted = colour[0] if colour else named or mean
    accent, damping = _ACCENT.search(present), _DAMPING.search(present)
    first = next(iter(present.splitlines()), "")
    search, replace = first, f"{first}\n// edited by the scripted model"
    if wanted is not None and accent is not None:
        search, replace = accent[0], f'accent = "{wanted}"'
    elif damping is not None and present.count(damping[0]) == 1:
        search, replace = damping[0], "damping: 8"
    if whole or kind not in {None, "bad_edit"}:
        return _broken(present.replace(search, replace, 1) + "\n", kind)
    if kind == "bad_edit":
        search = "this line is nowhere"
    note = f'\n<<<<<<< SEARCH\n{first}\n=======\n{first}\n// props: {{"accent": "{wanted}"}}\n>>>>>>> REPLACE'
    return f"<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE" + (note if wanted and accent else "")


def _broken(code: str, kind: str | None) -> str:
    """Return the code as an answer, with the fault of this kind."""
    faults = {
        "undefined_name": code.replace("return (\n", "const missing = undefinedName + 1;\n  return (\n", 1),
        "duplicate": code + "const Headline = 1;\nconst Headline = 2;\n",
        "syntax": code.replace("</AbsoluteFill>", "</AbsoluteFil>", 1),
        "loop": code.replace("return (\n", "while (true) {}\n  return (\n", 1),
        "network": code.replace("return (\n", 'fetch("https://example.com");\n  return (\n', 1),
        "prose": "I would rather describe the scene in words.",
    }
    if kind == "prose":
        return faults["prose"]
    text = faults.get(kind or "", code)
    return f"```tsx\n{text}" + ("" if kind == "truncated" else "```")
