"""What the model is told, and the schemas its answers have to fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.apps.ideation.models import Draft, Groups, Idea, IdeationInput, Ranking, path_name
from shared.llm.model import Message, OutputSchema
from shared.stages.model_answers import strict_schema

BRAINSTORMING = (
    "You brainstorm with a creative team. Invent ideas for the platform and in the genres the user names, each unlike "
    "the others. Give each list of the schema exactly as many as it asks for. Of each idea write a title, a logline of "
    "one sentence, and a description of a few sentences. Answer with JSON that fits the given schema and nothing else."
)
EDITING = (
    "You are the editor of a creative team. Judge the ideas by what was asked for, give each reason in one sentence, "
    "and leave no idea out. Answer with JSON that fits the given schema and nothing else."
)


def list_name(place: int) -> str:
    """The property that holds the ideas of the genre path at `place`."""
    return f"g{place + 1}"


def ideas_messages(
    wanted: IdeationInput, missing: Mapping[int, int], known_titles: Sequence[str]
) -> tuple[Message, ...]:
    """`missing`: how many ideas to give for the genre path at each place."""
    lines = [*_request(wanted), "Ideas to give, by list:"]
    lines += [f"- {list_name(place)}: {count} for {_genre(wanted, place)}" for place, count in missing.items()]
    if known_titles:
        lines += ["These ideas exist already; do not repeat them:", *(f"- {title}" for title in known_titles)]
    return Message("system", BRAINSTORMING), Message("user", "\n".join(lines))


def ideas_schema(wanted: IdeationInput, missing: Mapping[int, int]) -> OutputSchema:
    """For each genre that misses ideas a list of just so many: the schema holds the model to the proportions."""
    lists = {
        list_name(place): {
            "type": "array",
            "description": f"ideas for {_genre(wanted, place)}",
            "items": {"$ref": "#/$defs/Draft"},
            "minItems": count,
            "maxItems": count,
        }
        for place, count in missing.items()
    }
    schema = {
        "type": "object",
        "properties": lists,
        "required": list(lists),
        "additionalProperties": False,
        "$defs": {"Draft": strict_schema("draft", Draft).schema},
    }
    return OutputSchema("ideas", schema)


def ranking_messages(wanted: IdeationInput, ideas: Sequence[Idea]) -> tuple[Message, ...]:
    task = "Rank all of these ideas, the best first."
    return Message("system", EDITING), Message("user", "\n".join([*_request(wanted), task, *_listed(ideas)]))


def ranking_schema(count: int) -> OutputSchema:
    schema = strict_schema("ranking", Ranking)
    schema.schema["properties"]["ranking"] |= {"minItems": count, "maxItems": count}
    schema.schema["$defs"]["Ranked"]["properties"]["number"] = _a_number(count)
    return schema


def groups_messages(wanted: IdeationInput, ideas: Sequence[Idea]) -> tuple[Message, ...]:
    fewest, most = Groups.bounds(len(ideas))
    task = f"Sort all of these ideas into {fewest} to {most} named groups; each idea belongs to one."
    return Message("system", EDITING), Message("user", "\n".join([*_request(wanted), task, *_listed(ideas)]))


def groups_schema(count: int) -> OutputSchema:
    schema = strict_schema("groups", Groups)
    fewest, most = Groups.bounds(count)
    schema.schema["properties"]["groups"] |= {"minItems": fewest, "maxItems": most}
    schema.schema["$defs"]["Group"]["properties"]["numbers"]["items"] = _a_number(count)
    return schema


def repair_messages(asked: tuple[Message, ...], answer: str, complaint: str) -> tuple[Message, ...]:
    """The same request again, with the answer that did not fit and what is wrong with it."""
    return (
        *asked,
        Message("assistant", answer),
        Message("user", f"This does not fit: {complaint}\nAnswer again, with JSON that does."),
    )


def _request(wanted: IdeationInput) -> list[str]:
    lines = [f"Platform: {wanted.platform}"]
    if wanted.requirements:
        lines.append(f"Requirements: {wanted.requirements}")
    return lines


def _genre(wanted: IdeationInput, place: int) -> str:
    return path_name(wanted.genre_paths[place])


def _listed(ideas: Sequence[Idea]) -> list[str]:
    return [f"{idea.number}. {idea.title} ({path_name(idea.genre_path)}): {idea.logline}" for idea in ideas]


def _a_number(count: int) -> dict[str, Any]:
    return {"type": "integer", "enum": list(range(1, count + 1))}
