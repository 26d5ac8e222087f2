/** The conversation of a sheet session as a chat of the AI SDK, whose id is that of the session. */

/** @import { UIMessage } from "ai" */
/** @import { MessageDetail } from "../../../../docs/api/types" */
/** @import { Millrace } from "../millrace.js" */
/** @import { ChatOptions } from "./chat_transport.js" */

const PIPELINE = "sheet_chat";

/**
 * Return the options of a transport for sheet chat. The `body` of a message can have `agentId`, `customModel` and `selection`.
 * @param {Millrace} millrace
 * @returns {Pick<ChatOptions, "millrace" | "createJob" | "activeJob">}
 */
export function sheetChat(millrace) {
  return {
    millrace,
    createJob: ({ chatId, text, body, idempotencyKey }) => millrace.sheets.send(chatId, { ...body, text }, { idempotencyKey }),
    activeJob: async (chatId) => {
      const { activeJobId } = await millrace.sheets.get(chatId);
      if (activeJobId === null) return null;
      const job = await millrace.getJob(activeJobId);
      // The session may load its file, which is a job too.
      return job.pipeline === PIPELINE ? job : null;
    },
  };
}

/**
 * Return the messages of a session, newest first as the API returns them, as those of a chat. An answer has the id of its job,
 * so that an answer that is resumed replaces it.
 * @param {readonly MessageDetail[]} messages
 * @returns {UIMessage[]}
 */
export function messagesOfSheet(messages) {
  return messages.toReversed().map(({ messageId, role, text, jobId, jobStatus, versions, outcome }) => ({
    id: role === "assistant" ? jobId : messageId,
    role,
    parts: [{ type: "text", text }],
    metadata: { jobId, jobStatus, versions, outcome },
  }));
}
