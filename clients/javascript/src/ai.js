/**
 * A transport for `useChat` and `Chat` of the AI SDK (`ai` 7 or newer): each answer is a job.
 *
 *     import { useChat } from "@ai-sdk/react";
 *     import { MillraceChatTransport } from "@millrace/client/ai";
 *
 *     const transport = new MillraceChatTransport({ millrace, createJob });
 *     const { messages, sendMessage } = useChat({ id: chatId, transport, resume: true });
 */

export { MillraceChatTransport, textOfUser } from "./ai/chat_transport.js";
export { messagesOfSheet, sheetChat } from "./ai/sheet_chat.js";
