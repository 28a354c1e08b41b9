import { audit } from './audit.ts';
import { base } from './base.ts';
import { cancel } from './cancel.ts';
import { gate } from './gate.ts';
import { mcp } from './mcp.ts';
import { multiInstance } from './multi-instance.ts';
import { reconnect } from './reconnect.ts';
import { retry } from './retry.ts';
import type { Scenario } from './scenario.ts';
import { shareControl } from './share-control.ts';

/** Every scenario, in the order in which they are best read. */
export const SCENARIOS: readonly Scenario[] = [base, reconnect, shareControl, multiInstance, mcp, retry, gate, cancel, audit];
