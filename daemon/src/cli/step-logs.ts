import { activityOf } from './event-source.ts';
import type { CliContext } from './context.ts';
import { activityText } from './shown/activity.ts';

/** A page of a step's log. */
export const readLogs = async ({ ask, out }: CliContext, stepId: string, cursor: string | undefined): Promise<void> => {
  const page = await ask('get_step_logs', { step_id: stepId, limit: 500, ...(cursor !== undefined && { cursor }) });
  out.result(
    page,
    () =>
      page.items
        .map((item) => activityText(item, out))
        .filter(Boolean)
        .join('\n') || 'Nothing was said yet.',
  );
  if (!page.ended && page.items.length > 0) out.note(`Follow it: fairlead step logs ${stepId} --follow`);
  else if (page.items.length === 500) out.note(`Read on: fairlead step logs ${stepId} --cursor ${page.next_cursor}`);
};

/** The log as it comes, until the step has ended; a JSON document per line with `--json`. */
export const followLog = async (context: CliContext, stepId: string, cursor: string | undefined): Promise<void> => {
  for await (const message of activityOf(context, { step_id: stepId, ...(cursor !== undefined && { cursor }) })) {
    if (message.kind === 'event') context.out.item(message.event, () => activityText(message.event, context.out));
    else context.out.progress(message.text);
  }
};
