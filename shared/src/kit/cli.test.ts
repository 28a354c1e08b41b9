import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../contract/error-table.ts';
import { FairleadError } from '../contract/errors.ts';
import { EXIT } from '../contract/states.ts';
import { CommandEnd, createOutput, parseDuration, runCli, type Output } from './cli.ts';

const sink = (isTTY = false) => {
  let text = '';
  return {
    isTTY,
    write: (part: string) => void (text += part),
    get text() {
      return text;
    },
  };
};

const run = async (argv: string[], action: (output: Output) => void | Promise<void> = () => {}) => {
  const stdout = sink();
  const stderr = sink();
  const program = new Command('fairlead').version('1.2.3').option('--json').option('--quiet');
  const step = program.command('step').description('steps');
  step
    .command('show')
    .argument('<id>')
    .option('--wait')
    .action(() => action(createOutput({ json: program.opts()['json'] === true, quiet: program.opts()['quiet'] === true, stdout, stderr })));
  const exit = await runCli(program, ['node', 'fairlead', ...argv], { stdout, stderr });
  return { exit, stdout: stdout.text, stderr: stderr.text };
};

describe('runCli', () => {
  it('a result is one JSON document with --json, else words; remarks go to stderr unless quiet', async () => {
    const say = (output: Output) => {
      output.progress('working');
      output.result({ id: 1 }, 'step 1');
      output.note('done');
    };
    expect(await run(['step', 'show', 'x'], say)).toEqual({ exit: 0, stdout: 'step 1\n', stderr: 'working\ndone\n' });
    expect(await run(['--json', '--quiet', 'step', 'show', 'x'], say)).toEqual({ exit: 0, stdout: '{"id":1}\n', stderr: '' });
  });

  it("an error is its problem document with --json, else title, detail and the way out; the exit code is the table's", async () => {
    const fail = () => {
      throw new FairleadError('gate_outdated', { detail: 'The target moved \u001b[31m.' });
    };
    const human = await run(['step', 'show', 'x'], fail);
    expect(human.exit).toBe(EXIT.attention);
    expect(human.stderr).toContain('gate_outdated');
    expect(human.stderr).toContain(ERRORS.gate_outdated.hint);
    expect(human.stderr).toContain('␛[31m');
    expect(human.stdout).toBe('');
    const json = await run(['--json', 'step', 'show', 'x'], fail);
    expect(JSON.parse(json.stdout)).toMatchObject({ code: 'gate_outdated', status: 409 });
    expect(json.stderr).toBe('');
  });

  it('anything else is internal, and still one document', async () => {
    const { exit, stdout } = await run(['--json', 'step', 'show', 'x'], () => Promise.reject(new Error('broke')));
    expect([exit, (JSON.parse(stdout) as { code: string }).code]).toEqual([EXIT.infrastructure, 'internal']);
  });

  it('usage errors exit 1 and name the nearest word', async () => {
    const misspelt = await run(['stpe', 'show', 'x']);
    expect([misspelt.exit, misspelt.stdout]).toEqual([1, '']);
    expect(misspelt.stderr).toContain('Did you mean step?');
    expect((await run(['step', 'show', 'x', '--wiat'])).stderr).toContain('--wait');
    const json = await run(['--json', 'step', 'shwo', 'x']);
    expect([json.exit, json.stderr]).toEqual([1, '']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      code: 'invalid_input',
      detail: expect.stringContaining('Did you mean show?') as string,
    });
    expect((await run(['step', 'show'])).exit).toBe(1);
  });

  it('help and version are no errors, a missing command is', async () => {
    expect(await run(['--version'])).toEqual({ exit: 0, stdout: '1.2.3\n', stderr: '' });
    expect(await run(['step', '--help'])).toMatchObject({ exit: 0, stderr: '' });
    expect((await run(['step'])).exit).toBe(1);
    expect((await run([])).exit).toBe(1);
    expect(JSON.parse((await run(['--json', 'step'])).stdout)).toMatchObject({ code: 'invalid_input' });
  });

  it('a command may end with a code of its own', async () => {
    const { exit, stdout } = await run(['step', 'show', 'x'], (output) => {
      output.result({}, 'failed');
      throw new CommandEnd(EXIT.failed);
    });
    expect([exit, stdout]).toEqual([2, 'failed\n']);
  });

  it('--json after -- is an argument', async () => {
    const { stdout } = await run(['step', 'show', '--', '--json'], () => {
      throw new FairleadError('not_found');
    });
    expect(stdout).toBe('');
  });
});

describe('createOutput', () => {
  it('says one result', () => {
    const output = createOutput({ json: true, stdout: sink(), stderr: sink() });
    output.result(1, 'one');
    expect(() => output.result(2, 'two')).toThrow(TypeError);
  });

  it('streams items as a document per line', () => {
    const stdout = sink();
    const output = createOutput({ json: true, stdout, stderr: sink() });
    output.item({ a: 1 }, 'a');
    output.item({ a: 2 }, 'b');
    expect(stdout.text).toBe('{"a":1}\n{"a":2}\n');
  });

  it('colours on a terminal only, and never JSON', () => {
    expect(createOutput({ stdout: sink(true), stderr: sink() }).colour('red', 'x')).toBe('\u001b[31mx\u001b[0m');
    expect(createOutput({ stdout: sink(false), stderr: sink() }).colour('red', 'x')).toBe('x');
    expect(createOutput({ stdout: sink(true), stderr: sink(), color: false }).colour('red', 'x')).toBe('x');
    expect(createOutput({ stdout: sink(true), stderr: sink(), json: true }).colour('red', 'x')).toBe('x');
  });

  it('aligns tables and shows hostile cells visibly', () => {
    const output = createOutput({ stdout: sink(), stderr: sink() });
    expect(
      output.table([
        ['ID', 'TITLE'],
        ['1', 'ü\u001b[2J'],
        ['22', ''],
      ]),
    ).toBe('ID  TITLE\n1   ü␛[2J\n22');
    expect(output.table([])).toBe('');
  });
});

describe('parseDuration', () => {
  it('reads seconds, ms, s, m, h and d, and refuses the rest', () => {
    expect(['90', '90s', '10m', '2h', '7d', '250ms'].map((text) => parseDuration(text))).toEqual([
      90_000, 90_000, 600_000, 7_200_000, 604_800_000, 250,
    ]);
    for (const text of ['', '-1', '1.5h', '10 m', 'h', '1w', '9999999999'])
      expect(() => parseDuration(text, 'wall'), text).toThrow(FairleadError);
  });
});
