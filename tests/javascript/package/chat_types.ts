// A front end that uses the transport for chats. The test compiles it and does not run it.
import type { ChatTransport, UIMessage } from "ai";

import { Millrace } from "@millrace/client";
import { MillraceChatTransport, sheetChat } from "@millrace/client/ai";

const millrace = new Millrace({ api: "https://api.example.com", token: "token" });

export const sheet: ChatTransport<UIMessage> = new MillraceChatTransport(sheetChat(millrace));
export const brainstorming: ChatTransport<UIMessage> = new MillraceChatTransport({
  millrace,
  createJob: ({ text, idempotencyKey }) =>
    millrace.createJob("suggestion", { pageOrComponent: text, featureType: "integration", priorityLevel: "low" }, { idempotencyKey }),
});
// @ts-expect-error a job needs its input
export const misused = new MillraceChatTransport({ millrace, createJob: () => millrace.createJob("suggestion", {}) });
