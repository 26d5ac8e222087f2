// A front end that uses the installed package. The test compiles it and does not run it.
import { Millrace } from "@millrace/client";
import type { JobDetail } from "@millrace/client/api";
import { useJob, useJobs } from "@millrace/client/react";

const millrace = new Millrace({ api: "https://api.example.com", token: "token" });

export const textOf = (job: JobDetail): string => job.text;
export const useText = (id: string): string | undefined =>
  useJob<"suggestion">(millrace, id).view.result?.suggestions[0]?.title;
export const useTitles = (): (string | null)[] => useJobs(millrace, { status: "failed" }).jobs.map((job) => job.title ?? null);
