/**
 * An agent for the measurements: it speaks as Claude Code does in its structured mode, without a model. `say N` in the prompt makes it say
 * N things, `hold` makes it start a child that sleeps and wait until it is stopped. `--version` answers like a program. Run with `bare N`
 * it says the same to whoever reads, without being asked: the baseline.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const say = (message: unknown): boolean => process.stdout.write(`${JSON.stringify(message)}\n`);
const SESSION = '00000000-0000-4000-8000-000000000001';

const item = (at: number): unknown => ({
  type: 'assistant',
  message: {
    id: `msg_${at}`,
    model: 'bench',
    content: [{ type: 'text', text: `line ${at} of what an agent says while it works on a task` }],
  },
  session_id: SESSION,
});

/** Says `count` things, as fast as they are taken. */
const sayAll = async (count: number): Promise<void> => {
  for (let at = 1; at <= count; at++) if (!say(item(at))) await new Promise((resolve) => process.stdout.once('drain', resolve));
};

const end = (): boolean =>
  say({
    type: 'result',
    subtype: 'success',
    is_error: false,
    num_turns: 1,
    total_cost_usd: 0,
    usage: { input_tokens: 1, output_tokens: 1 },
    session_id: SESSION,
  });

/** Works until it is stopped, and then ends its child and writes its session, as agents do. */
const hold = (): void => {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  process.on('SIGTERM', () => {
    child.kill('SIGTERM');
    writeFileSync(`${process.env['HOME'] ?? '/tmp'}/session.json`, JSON.stringify({ SESSION }));
    setTimeout(() => process.exit(143), 100);
  });
  say({ type: 'assistant', message: { model: 'bench', content: [{ type: 'text', text: 'holding' }] }, session_id: SESSION });
};

const converse = (): void => {
  const lines = createInterface({ input: process.stdin });
  lines.on('close', () => process.exit(0));
  lines.on('line', (line) => {
    const message = JSON.parse(line) as { type: string; request_id?: string; message?: { content: { text: string }[] } };
    if (message.type === 'control_request') {
      say({ type: 'control_response', response: { subtype: 'success', request_id: message.request_id, response: {} } });
      return;
    }
    if (message.type !== 'user') return;
    const prompt = message.message?.content[0]?.text ?? '';
    say({ type: 'system', subtype: 'init', session_id: SESSION, model: 'bench' });
    if (/\bhold\b/.test(prompt)) return hold();
    const count = Number(/\bsay (\d+)\b/.exec(prompt)?.[1] ?? 1);
    void sayAll(count).then(end);
  });
};

const [role, count = '0'] = process.argv.slice(2);
if (role === '--version') process.stdout.write('1.0.0 (bench)\n');
else if (role === 'bare') void sayAll(Number(count));
else if (role === 'bare-hold') hold();
else converse();
