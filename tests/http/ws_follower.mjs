// Follow a job over the channel with the npm package ws, and print one line of JSON for each event: [number, event].
// Arguments: the channel's URL, the job's id, and the numbers of events at which the connection is cut.
// The token comes from the environment variable MILLRACE_TOKEN.
import { WebSocket } from "../model_oracle/node_modules/ws/wrapper.mjs";

const [url, jobId, ...cuts] = process.argv.slice(2);
const topic = `job:${jobId}`;
const left = cuts.map(Number);
const headers = { Authorization: `Bearer ${process.env.MILLRACE_TOKEN}` };
let last = 0;
let seen = 0;

function connect() {
  const socket = new WebSocket(url, ["millrace.v1"], { headers });
  const send = (message) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify({ id: "1", ...message }));
  const subscribe = () => send({ type: "subscribe", topic, after: last });
  const pings = setInterval(() => send({ type: "ping", positions: { [topic]: last } }), 5_000);
  let cut = false;
  socket.on("open", subscribe);
  socket.on("close", () => {
    clearInterval(pings);
    if (cut) connect();
    else process.exit(2);
  });
  socket.on("error", (error) => {
    console.error(error);
    process.exit(1);
  });
  socket.on("message", (data) => {
    const message = JSON.parse(String(data));
    if (message.type === "error") throw new Error(String(data));
    if (message.type === "pong" && !(topic in message.tails)) return void subscribe();
    if (message.type !== "events" || cut) return;
    for (const [seq, event] of message.events) {
      if (seq <= last) continue;
      // What is behind a gap is sent again with the next subscription.
      if (seq > last + 1 && event.type !== "snapshot") return void setTimeout(subscribe, 300);
      last = seq;
      seen += 1;
      console.log(JSON.stringify([seq, event]));
      if (["complete", "error", "cancelled"].includes(event.type)) process.exit(0);
      if (seen !== left[0]) continue;
      left.shift();
      cut = true;
      return socket.terminate();
    }
  });
}

connect();
