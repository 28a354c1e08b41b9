import { defaultRoot } from './home.ts';

/** The variables that the CLI and the daemon read. This folder and main.ts are the only places that look at the environment. */
export const environment = (): Readonly<Record<string, string | undefined>> => process.env;

/** The home's root: `--home`, `FAIRLEAD_HOME`, or `~/.fairlead`. */
export const rootFrom = (flag: string | undefined): string => flag ?? (process.env['FAIRLEAD_HOME'] || undefined) ?? defaultRoot();

/** Where the CLI is to look for a daemon instead of in the home: flag over `FAIRLEAD_DAEMON_URL` and `FAIRLEAD_DAEMON_TOKEN`. */
export const remoteFrom = (flags: {
  url?: string | undefined;
  token?: string | undefined;
}): { url: string | undefined; token: string | undefined } => ({
  url: flags.url ?? (process.env['FAIRLEAD_DAEMON_URL'] || undefined),
  token: flags.token ?? (process.env['FAIRLEAD_DAEMON_TOKEN'] || undefined),
});

/** Folders on PATH, in order. `doctor` proposes toolchain folders from them. */
export const pathFolders = (): string[] => (process.env['PATH'] ?? '').split(':').filter(Boolean);
