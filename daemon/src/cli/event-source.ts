import { FairleadError, Problem } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import type { Event } from '@fairlead/shared/contract/resources';
import { createBackoff } from '@fairlead/shared/kit/backoff';
import { systemClock } from '@fairlead/shared/kit/clock';
import type { CliContext } from './context.ts';

type Message = { readonly kind: 'event'; readonly event: Event } | { readonly kind: 'note'; readonly text: string };

interface Block {
  readonly type: string;
  readonly data: string;
}

/** Splits an event stream into its messages (WHATWG server-sent events; comments and ids are left out). */
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
      if (data !== '') yield { type: valuesOf('event')[0] ?? 'message', data };
    }
  }
}

/** The events of an instance as they come. After a broken line it goes on from the last one, and says so. */
export async function* eventsOf(
  context: CliContext,
  input: { instance_id: string; run_id?: string; step_id?: string; cursor?: string },
): AsyncGenerator<Message> {
  let { cursor } = input;
  const backoff = createBackoff({ base: LIMITS.reconnect_base.value, cap: 5_000 });
  for (;;) {
    try {
      const client = await context.client();
      const bytes = await client.stream(
        'list_events',
        { ...input, ...(cursor !== undefined && { cursor }) },
        { accept: 'text/event-stream' },
      );
      for await (const { type, data } of blocksOf(bytes)) {
        if (type === 'problem') throw FairleadError.fromProblem(Problem.parse(JSON.parse(data)));
        if (type === 'begin') {
          backoff.reset();
          if ((JSON.parse(data) as { resumed?: string }).resumed === 'gap')
            yield { kind: 'note', text: 'There is a gap: the history is not the one the cursor came from.' };
        } else {
          const event = JSON.parse(data) as Event;
          cursor = event.cursor;
          yield { kind: 'event', event };
        }
      }
    } catch (error) {
      const away = error instanceof FairleadError ? error.code === 'daemon_not_running' || error.code === 'draining' : true;
      if (!away || cursor === undefined) throw error;
    }
    yield { kind: 'note', text: 'The line broke; going on from the last event.' };
    await systemClock.sleep(backoff.next());
  }
}
