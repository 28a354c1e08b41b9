import { describe, expect, it } from 'vitest';
import { LAYERS, layerFaults, moduleOf, tableFaults } from './rules/layers.ts';
import { parseSource, readSources } from './rules/source-files.ts';

const planted = (path: string, text: string) => layerFaults([parseSource(path, text)]);

describe('the import table', () => {
  it('is a strict DAG: each module allows only what comes before it', () => {
    expect(tableFaults(LAYERS)).toEqual([]);
  });

  it('notices a cycle', () => {
    expect(tableFaults({ a: ['b'], b: ['a'] })).toEqual(['a allows b, which does not come before it']);
  });

  it('never lets daemon, connector and relay import each other', () => {
    for (const [module, allowed] of Object.entries(LAYERS)) {
      const own = module.split('/')[0];
      expect(allowed.filter((other) => ![own, 'shared'].includes(other.split('/')[0]))).toEqual([]);
    }
  });

  it('holds for every file', () => {
    const files = readSources(process.cwd());
    expect(files.filter(({ path }) => moduleOf(path) !== undefined).length).toBeGreaterThan(15);
    expect(layerFaults(files)).toEqual([]);
  });
});

describe('the layer rules can fail', () => {
  it.each([
    [
      'an import upwards',
      'daemon/src/core/step.ts',
      "import { record } from '../ledger/ledger.ts';",
      /daemon\/core may not import daemon\/ledger/,
    ],
    [
      'a dynamic import upwards',
      'daemon/src/git/store.ts',
      "export const f = () => import('../runner/runner.ts');",
      /daemon\/git may not import daemon\/runner/,
    ],
    [
      'a type import upwards',
      'daemon/src/policy/fence.ts',
      "import type { Ledger } from '../ledger/ledger.ts';",
      /daemon\/policy may not import/,
    ],
    [
      'an import in a type',
      'daemon/src/policy/fence.ts',
      "export type L = import('../ledger/ledger.ts').Ledger;",
      /daemon\/policy may not import/,
    ],
    [
      'a re-export upwards',
      'daemon/src/process/run.ts',
      "export { x } from '../git/git.ts';",
      /daemon\/process may not import daemon\/git/,
    ],
    [
      'an import across packages',
      'relay/src/api/serve.ts',
      "import { d } from '@fairlead/daemon/core/step';",
      /relay\/api may not import daemon\/core/,
    ],
    [
      'executors that see the ledger',
      'daemon/src/executors/patch.ts',
      "import { l } from '../ledger/ledger.ts';",
      /may not import daemon\/ledger/,
    ],
    [
      'an API that sees the scheduler',
      'daemon/src/api/serve.ts',
      "import { s } from '../scheduler/scheduler.ts';",
      /may not import daemon\/scheduler/,
    ],
    [
      'a part of kit that is not pure in a pure module',
      'daemon/src/policy/fence.ts',
      "import { clock } from '@fairlead/shared/kit/clock';",
      /may not import @fairlead\/shared\/kit\/clock/,
    ],
    ['a builtin in the contract', 'shared/src/contract/x.ts', "import { readFile } from 'node:fs';", /imports nothing of Node/],
    ['a process outside process', 'daemon/src/git/git.ts', "import { execa } from 'execa';", /only in daemon\/process/],
    [
      'child_process outside process',
      'connector/src/session/run.ts',
      "import { spawn } from 'node:child_process';",
      /only in daemon\/process/,
    ],
    ['a file system in core', 'daemon/src/core/x.ts', "import { readFile } from 'node:fs/promises';", /do no I\/O/],
    ['a module that the table lacks', 'daemon/src/helpers/x.ts', 'export const x = 1;', /not in the import table/],
    ['SQL outside the ledger', 'daemon/src/api/x.ts', "export const q = 'SELECT id FROM steps';", /SQL outside/],
    ['SQL in a template', 'relay/src/api/x.ts', 'export const q = (t: string) => `DELETE FROM ${t}`;', /SQL outside/],
    ['process.env outside config', 'relay/src/api/x.ts', 'export const home = process.env.HOME;', /x\.ts:1: reads process\.env/],
    ['a clock in core', 'daemon/src/core/x.ts', 'export const at = () => Date.now();', /clock/],
    ['a new Date in the runner', 'daemon/src/runner/x.ts', 'export const at = () => new Date();', /clock/],
    ['randomness', 'daemon/src/policy/x.ts', 'export const at = () => Math.random();', /random/],
    ['async in core', 'daemon/src/core/x.ts', 'export const f = async () => 1;', /is async/],
  ])('%s', (_, path, text, fault) => {
    const faults = planted(path, text);
    expect(faults.join('\n')).toMatch(fault);
  });

  it('and let what is allowed pass', () => {
    expect(planted('daemon/src/ledger/x.ts', "import { step } from '../core/step.ts';\nexport const q = 'SELECT id FROM steps';")).toEqual(
      [],
    );
    expect(planted('daemon/src/main.ts', "import './cli/status.ts';\nexport const home = process.env.HOME;")).toEqual([]);
  });
});
