import { FairleadError, Problem } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import type { Activity } from '@fairlead/shared/contract/activity';
import type { CallOf } from '@fairlead/shared/contract/operations/table';
import type { Event } from '@fairlead/shared/contract/resources';
import { createBackoff } from '@fairlead/shared/kit/backoff';
import { systemClock } from '@fairlead/shared/kit/clock';
import type { CliContext } from './context.ts';

type Message<T> = { readonly kind: 'event'; readonly event: T } | { readonly kind: 'note'; readonly text: string };

interface Block {
  readonly type: string;
  readonly data: string;
  /** Where to go on after it. */
  readonly id: string | undefined;
}

/** Splits an event stream into its messages (WHATWG server-sent events; comments are left out). */
export async function* blocksOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Block> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of bytes) {
    rest += decoder.decode(chunk, { stream: true });
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
      const lines = rest.slice(0, end).split('\n');
      rest = rest.slice(end + 2);
      const valuesOf = (name: string) =>
        lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).replace(/^ /, ''));
      const data = valuesOf('data').join('\n');
      if (data !== '') yield { type: valuesOf('event')[0] ?? 'message', data, id: valuesOf('id')[0] };
    }
  }
}

type Streaming = 'list_events' | 'get_step_logs';

/**
 * What an operation streams, as it comes. After a broken line it goes on from the last cursor, and says so. It ends when the other side
 * says `end`.
 */
async function* streamOf<N extends Streaming>(
  context: CliContext,
  operation: N,
  input: CallOf<N> & { readonly cursor?: string },
): AsyncGenerator<Block | { readonly note: string }> {
  let cursor = input.cursor;
  const backoff = createBackoff({ base: LIMITS.reconnect_base.value, cap: 5_000 });
  for (;;) {
    try {
      const client = await context.client();
      const bytes = await client.stream(operation, { ...input, ...(cursor !== undefined && { cursor }) }, { accept: 'text/event-stream' });
      for await (const block of blocksOf(bytes)) {
        if (block.type === 'problem') throw FairleadError.fromProblem(Problem.parse(JSON.parse(block.data)));
        cursor = block.id ?? cursor;
        backoff.reset();
        yield block;
        if (block.type === 'end') return;
      }
    } catch (error) {
      const away = error instanceof FairleadError ? error.code === 'daemon_not_running' || error.code === 'draining' : true;
      if (!away || cursor === undefined) throw error;
    }
    yield { note: 'The line broke; going on from where it was.' };
    await systemClock.sleep(backoff.next());
  }
}

/** The events of an instance as they come. */
export async function* eventsOf(
  context: CliContext,
  input: { instance_id: string; run_id?: string; step_id?: string; cursor?: string },
): AsyncGenerator<Message<Event>> {
  for await (const block of streamOf(context, 'list_events', input)) {
    if ('note' in block) yield { kind: 'note', text: block.note };
    else if (block.type !== 'begin') yield { kind: 'event', event: JSON.parse(block.data) as Event };
    else if ((JSON.parse(block.data) as { resumed?: string }).resumed === 'gap')
      yield { kind: 'note', text: 'There is a gap: the history is not the one the cursor came from.' };
  }
}

/** What the executor of a step says, until the step has ended. */
export async function* activityOf(context: CliContext, input: { step_id: string; cursor?: string }): AsyncGenerator<Message<Activity>> {
  for await (const block of streamOf(context, 'get_step_logs', input)) {
    if ('note' in block) yield { kind: 'note', text: block.note };
    else if (block.type === 'activity') yield { kind: 'event', event: JSON.parse(block.data) as Activity };
  }
}
