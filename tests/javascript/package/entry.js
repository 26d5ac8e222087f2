export { createClient, getJob } from "@millrace/client";
