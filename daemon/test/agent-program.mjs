// A program that speaks as Claude Code does in its structured mode, with a mind that a test writes: after `PLAY ` its prompt holds a list
// of steps. It asks the hook before each tool and then really writes the file or runs the command, or leaves it where it was denied.
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

const resumed = process.argv[process.argv.indexOf('--resume') + 1];
const session = process.argv.includes('--resume') ? resumed : 'session-of-the-agent';
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const waiting = new Map();
let calls = 0;

const assistant = (...content) => say({ type: 'assistant', message: { model: 'played', content }, session_id: session });

const ask = (tool_name, tool_input, id) =>
  new Promise((resolve) => {
    waiting.set(id, resolve);
    say({
      type: 'control_request',
      request_id: id,
      request: { subtype: 'hook_callback', callback_id: 'fairlead', input: { tool_name, tool_input } },
    });
  });

const use = async (name, input, act) => {
  const id = `call-${(calls += 1)}`;
  assistant({ type: 'tool_use', id, name, input });
  const { permissionDecision, permissionDecisionReason } = (await ask(name, input, id)).hookSpecificOutput;
  let content = `PreToolUse:${name} hook error: ${permissionDecisionReason}`;
  if (permissionDecision === 'allow') content = act();
  say({
    type: 'user',
    message: { content: [{ type: 'tool_result', tool_use_id: id, is_error: permissionDecision !== 'allow', content }] },
    session_id: session,
  });
};

const STEPS = {
  say: (text) => assistant({ type: 'text', text }),
  write: ([path, content]) =>
    use('Write', { file_path: path, content }, () => {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
      return 'written';
    }),
  run: (command) => use('Bash', { command }, () => execFileSync('/bin/sh', ['-c', command]).toString()),
  wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  newer: (value) => say({ type: 'of_a_newer_version', value }),
  exit: (code) => process.exit(code),
  end: (result) =>
    say({
      type: 'result',
      subtype: 'success',
      is_error: false,
      usage: { input_tokens: 7, output_tokens: 3 },
      total_cost_usd: 0.25,
      ...result,
    }),
};

const play = async (prompt) => {
  appendFileSync(join(process.env.HOME, 'prompts.txt'), `${prompt}\n---\n`);
  say({ type: 'system', subtype: 'init', session_id: session, model: 'played' });
  // What a resumed session is to do was said when it began, or is said besides.
  const steps = JSON.parse(/PLAY (\[.*\])/.exec(prompt)?.[1] ?? '[{"write":["again.txt","again"]},{"end":{}}]');
  for (const step of steps) for (const [name, value] of Object.entries(step)) await STEPS[name](value);
};

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { type, request_id, message, response } = JSON.parse(line);
    if (type === 'control_request') say({ type: 'control_response', response: { subtype: 'success', request_id, response: {} } });
    if (type === 'control_response') waiting.get(response.request_id)?.(response.response);
    if (type === 'user') void play(message.content[0].text);
  })
  .on('close', () => process.exit(0));
