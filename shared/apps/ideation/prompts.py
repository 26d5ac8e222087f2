"""Write the prompts of a brainstorming job, and the schemas that the model's outputs must match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.apps.ideation.models import Draft, Groups, Idea, IdeationInput, Ranking, path_name
from shared.llm.model import Message, OutputSchema
from shared.stages.model_answers import strict_form

_BRAINSTORMING = (
    "You brainstorm with a creative team. Invent ideas for the platform and in the genres the user names, each unlike "
    "the others. Give each list of the schema exactly as many as it asks for. Of each idea write a title, a logline of "
    "one sentence, and a description of a few sentences. Answer with JSON that fits the given schema and nothing else."
)
_EDITING = (
    "You are the editor of a creative team. Judge the ideas by what was asked for, give each reason in one sentence, "
    "and leave no idea out. Answer with JSON that fits the given schema and nothing else."
)


def list_name(index: int) -> str:
    """Return the name of the list to which the model writes the ideas of the genre path at `index`."""
    return f"g{index + 1}"


def ideas_messages(
    job_input: IdeationInput, missing: Mapping[int, int], known_titles: Sequence[str]
) -> tuple[Message, ...]:
    """Return the prompt for the missing ideas; `missing` is their count by the index of the genre path."""
    lines = [*_request(job_input), "Ideas to give, by list:"]
    lines += [f"- {list_name(index)}: {count} for {_genre(job_input, index)}" for index, count in missing.items()]
    if known_titles:
        lines += ["These ideas exist already; do not repeat them:", *(f"- {title}" for title in known_titles)]
    return Message("system", _BRAINSTORMING), Message("user", "\n".join(lines))


def ideas_schema(job_input: IdeationInput, missing: Mapping[int, int]) -> OutputSchema:
    """Return a schema with one list for each incomplete genre path, whose length is the count of missing ideas.

    So the provider enforces the proportions.
    """
    lists = {
        list_name(index): {
            "type": "array",
            "description": f"ideas for {_genre(job_input, index)}",
            "items": {"$ref": "#/$defs/Draft"},
            "minItems": count,
            "maxItems": count,
        }
        for index, count in missing.items()
    }
    schema = {
        "type": "object",
        "properties": lists,
        "required": list(lists),
        "additionalProperties": False,
        "$defs": {"Draft": Draft.model_json_schema(by_alias=True)},
    }
    return strict_form("ideas", schema)


def ranking_messages(job_input: IdeationInput, ideas: Sequence[Idea]) -> tuple[Message, ...]:
    """Return the prompt that asks for a ranking of the ideas."""
    task = "Rank all of these ideas, the best first."
    return Message("system", _EDITING), Message("user", "\n".join([*_request(job_input), task, *_listed(ideas)]))


def ranking_schema(count: int) -> OutputSchema:
    """Return the schema of a ranking of the ideas 1 to `count`."""
    schema = Ranking.model_json_schema(by_alias=True)
    schema["properties"]["ranking"] |= {"minItems": count, "maxItems": count}
    schema["$defs"]["Ranked"]["properties"]["number"] = _a_number(count)
    return strict_form("ranking", schema)


def groups_messages(job_input: IdeationInput, ideas: Sequence[Idea]) -> tuple[Message, ...]:
    """Return the prompt that asks for groups of the ideas."""
    fewest, most = Groups.bounds(len(ideas))
    task = f"Sort all of these ideas into {fewest} to {most} named groups; each idea belongs to one."
    return Message("system", _EDITING), Message("user", "\n".join([*_request(job_input), task, *_listed(ideas)]))


def groups_schema(count: int) -> OutputSchema:
    """Return the schema of groups of the ideas 1 to `count`."""
    schema = Groups.model_json_schema(by_alias=True)
    fewest, most = Groups.bounds(count)
    schema["properties"]["groups"] |= {"minItems": fewest, "maxItems": most}
    schema["$defs"]["Group"]["properties"]["numbers"] |= {"maxItems": count, "items": _a_number(count)}
    return strict_form("groups", schema)


def _request(job_input: IdeationInput) -> list[str]:
    lines = [f"Platform: {job_input.platform}"]
    if job_input.requirements:
        lines.append(f"Requirements: {job_input.requirements}")
    return lines


def _genre(job_input: IdeationInput, index: int) -> str:
    return path_name(job_input.genre_paths[index])


def _listed(ideas: Sequence[Idea]) -> list[str]:
    return [f"{idea.number}. {idea.title} ({path_name(idea.genre_path)}): {idea.logline}" for idea in ideas]


def _a_number(count: int) -> dict[str, Any]:
    return {"type": "integer", "enum": list(range(1, count + 1))}
