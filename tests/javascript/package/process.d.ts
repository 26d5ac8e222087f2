// What the examples on the client's page use of Node.
declare const process: { env: Record<"API" | "TOKEN", string> };
