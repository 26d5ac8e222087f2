"""The job as a LangGraph graph: the model's tokens go to the run's stream with the stream writer, as for any client."""

from __future__ import annotations

import os
from typing import TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from openai import AsyncOpenAI

model = AsyncOpenAI(base_url=os.environ["MODEL_URL"], api_key="benchmark")


class State(TypedDict):
    prompt: str
    text: str


async def generate(state: State) -> dict[str, str]:
    write = get_stream_writer()
    said = []
    chunks = await model.chat.completions.create(
        model="scripted-1", messages=[{"role": "user", "content": state["prompt"]}], stream=True
    )
    async for chunk in chunks:
        if chunk.choices and (text := chunk.choices[0].delta.content):
            said.append(text)
            write({"text": text})
    return {"text": "".join(said)}


builder = StateGraph(State)
builder.add_node("generate", generate)
builder.add_edge(START, "generate")
builder.add_edge("generate", END)
graph = builder.compile()
