/** The variables that the connector reads. This folder and main.ts are the only places that look at the environment. */
export const environment = (): Readonly<Record<string, string | undefined>> => process.env;
