// A client that uses the generated types. The test compiles it and does not run it.
import type { Answer, JobDetail, PipelineResults, StreamEvent, SuggestionJobRequest } from "../../docs/api/types";

export const request: SuggestionJobRequest = {
  pipeline: "suggestion",
  input: { pageOrComponent: "Checkout", featureType: "ui-improvement", priorityLevel: "low" },
};

export function titleOf(answer: Answer<JobDetail>): string {
  return answer.success ? answer.data.jobId : answer.error.details.fields.map((each) => each.field).join();
}

export function textAfter(event: StreamEvent, text: string): string {
  switch (event.type) {
    case "delta":
      return text + event.text;
    case "reset":
    case "snapshot":
      return event.text;
    case "connected":
    case "stage":
    case "progress":
    case "tool":
    case "subtask":
    case "item":
    case "componentStage":
    case "sceneStatus":
    case "chunkRendered":
    case "renderQueued":
    case "fontsNeeded":
    case "complete":
    case "error":
    case "cancelled":
      return text;
    default: {
      const none: never = event;
      return none;
    }
  }
}

export function firstTitle(result: PipelineResults["suggestion"]): string | undefined {
  return result.suggestions[0]?.title;
}

// @ts-expect-error an unknown feature type is refused
request.input.featureType = "novelty";
