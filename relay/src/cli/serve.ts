import process from 'node:process';
import type { Output } from '@fairlead/shared/kit/cli';
import { loadSettings, relayHome } from '../config/settings.ts';
import { addressesOf, startRelay } from '../relay.ts';
import type { GlobalFlags } from './connection.ts';

interface ServeFlags {
  readonly host?: string;
  readonly port?: number;
  readonly origin?: string;
  readonly plannerRate?: number;
  readonly allowHost?: string[];
  readonly allowOrigin?: string[];
}

/** Serves until SIGTERM or SIGINT, then drains. A second signal ends it at once. */
export const serve = async ({
  output,
  globals,
  flags,
}: {
  readonly output: Output;
  readonly globals: GlobalFlags;
  readonly flags: ServeFlags;
}): Promise<void> => {
  const home = relayHome(globals.home);
  const settings = await loadSettings(home, {
    host: flags.host,
    port: flags.port,
    origin: flags.origin,
    planner_rate: flags.plannerRate,
    allowed_hosts: flags.allowHost,
    allowed_origins: flags.allowOrigin,
    ...(globals.quiet && { log: 'error' as const }),
  });
  const relay = await startRelay({ home, settings });
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(1));
        resolve();
      });
    }
  });
  const line = { url: relay.url, ...addressesOf(relay.url), home: home.folder, pid: process.pid };
  output.result(line, `The relay serves ${relay.url} (origin ${relay.origin}, MCP ${line.mcp_url}).`);
  await stopped;
  await relay.close();
};
