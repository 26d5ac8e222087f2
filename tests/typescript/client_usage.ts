// A TypeScript front end that uses the client. The test compiles it and does not run it.
import { Millrace, Refused, type Watch } from "../../clients/javascript/src/millrace.js";

const millrace = new Millrace({ api: "https://api.example.com", token: async (stale?: string) => stale ?? "token" });

export function title(watch: Watch): string {
  const { state, view, problem } = watch;
  switch (state) {
    case "idle":
    case "creating":
    case "connecting":
      return watch.faults > 0 ? "reconnecting" : state;
    case "streaming":
      return `${view.stage ?? "waiting"}: ${Math.round(view.progress)} %`;
    case "complete":
      return `${view.usage?.outputTokens ?? 0} tokens`;
    case "cancelled":
      return "cancelled";
    case "error":
      return problem?.kind === "refused" ? `refused: ${problem.message}` : (problem?.message ?? "");
    default: {
      const none: never = state;
      return none;
    }
  }
}

export async function suggest(): Promise<string[]> {
  const input = { pageOrComponent: "Checkout", featureType: "enhancement", priorityLevel: "low" } as const;
  const watch = millrace.startJob("suggestion", input);
  const unsubscribe = watch.subscribe(({ view }) => view.stages.map((stage) => stage.startedAt));
  try {
    const { view } = await watch.settled();
    return view.resets.map((reset) => `${reset.reason} (${reset.retryCount})`);
  } catch (error) {
    return error instanceof Refused ? error.fields.map(({ field, rule }) => `${field} ${rule}`) : [];
  } finally {
    unsubscribe();
  }
}

export function follow(topic: string, show: (text: string) => void): () => void {
  const { channel } = new Millrace({ api: "https://api.example.com", token: "token", transport: "channel" });
  channel.observe((state) => show(state === "blocked" ? "over streams" : state));
  return channel.subscribe(topic, { after: 7, onEvents: (events) => events.map(([seq, { type }]) => show(`${seq} ${type}`)) });
}

export async function failed(): Promise<number> {
  const { jobs, cursor } = await millrace.listJobs({ status: "failed", limit: 5 });
  return cursor === null ? jobs.length : Number.POSITIVE_INFINITY;
}

export async function typesOfEvents(jobId: string, signal: AbortSignal): Promise<string[]> {
  const types: string[] = [];
  for await (const { id, at, event } of millrace.watch(jobId).events({ signal })) types.push(`${id} ${at ?? "?"} ${event.type}`);
  return types;
}

export function store(watch: Watch): { subscribe: (changed: () => void) => () => void; getSnapshot: () => Watch["snapshot"] } {
  return { subscribe: watch.subscribe, getSnapshot: () => watch.snapshot };
}
