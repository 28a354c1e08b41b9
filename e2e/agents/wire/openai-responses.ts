import {
  contentText,
  objectOf,
  objectsOf,
  parameterNames,
  textOf,
  type Conversation,
  type Json,
  type OfferedTool,
} from '../conversation.ts';
import type { ChosenCall } from '../tool-choice.ts';
import { openaiRefusal } from './openai-refusal.ts';
import { freshId, inputText, pieces, type FittedAnswer, type Wire, type WireEvent } from './wire.ts';

const toolsOf = (value: unknown, namespace?: string): OfferedTool[] =>
  objectsOf(value).flatMap((tool) => {
    const name = textOf(tool['name']) || textOf(tool['type']);
    if (tool['type'] === 'namespace') return toolsOf(tool['tools'], name);
    return [
      {
        name,
        parameters: parameterNames(tool['parameters']),
        ...(namespace !== undefined && { namespace }),
        ...(tool['type'] === 'custom' && { freeform: true }),
      },
    ];
  });

const outputText = (output: unknown): string => (typeof output === 'string' ? output : contentText(output));

const read = (body: Json): Conversation => {
  const items: readonly Json[] = typeof body['input'] === 'string' ? [{ role: 'user', content: body['input'] }] : objectsOf(body['input']);
  return {
    model: textOf(body['model']),
    system: textOf(body['instructions']),
    prompts: items.filter((item) => item['role'] === 'user').map((item) => contentText(item['content'])),
    tools: toolsOf(body['tools']),
    toolResults: items
      .filter((item) => textOf(item['type']).endsWith('_call_output'))
      .map((item) => ({ id: textOf(item['call_id']), text: outputText(item['output']), isError: false })),
    stream: body['stream'] === true,
    wantsJson: objectOf(objectOf(body['text'])['format'])['type'] === 'json_schema',
  };
};

const callItem = (call: ChosenCall): Json => ({
  type: call.tool.freeform ? 'custom_tool_call' : 'function_call',
  id: freshId(call.tool.freeform ? 'ctc_' : 'fc_'),
  call_id: freshId('call_'),
  name: call.tool.name,
  ...(call.tool.namespace !== undefined && { namespace: call.tool.namespace }),
  [call.tool.freeform ? 'input' : 'arguments']: inputText(call),
  status: 'completed',
});

const messageItem = (content: readonly Json[]): Json => ({
  type: 'message',
  id: freshId('msg_'),
  role: 'assistant',
  status: 'completed',
  content,
});

const contentOf = ({ say, stop }: FittedAnswer): Json =>
  stop === 'refusal' ? { type: 'refusal', refusal: say } : { type: 'output_text', text: say, annotations: [] };

const itemsOf = (answer: FittedAnswer): Json[] => [
  ...(answer.think === ''
    ? []
    : [{ type: 'reasoning', id: freshId('rs_'), summary: [{ type: 'summary_text', text: answer.think }], encrypted_content: null }]),
  ...(answer.say === '' && answer.calls.length > 0 ? [] : [messageItem([contentOf(answer)])]),
  ...answer.calls.map(callItem),
];

const usageOf = ({ usage }: FittedAnswer): Json => ({
  input_tokens: usage.input,
  input_tokens_details: { cached_tokens: usage.cached },
  output_tokens: usage.output,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: usage.input + usage.output,
});

const begun = (item: Json): Json => {
  if (item['type'] === 'message') return { ...item, content: [], status: 'in_progress' };
  return item['type'] === 'reasoning' ? { ...item, summary: [] } : { ...item, status: 'in_progress' };
};

/** The response object once it has ended. */
const ended = (base: Json, answer: FittedAnswer, output: readonly Json[]): Json => ({
  ...base,
  output,
  usage: usageOf(answer),
  ...(answer.stop === 'max_tokens'
    ? { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } }
    : { status: 'completed' }),
});

const baseOf = ({ model }: Conversation): Json => ({
  id: freshId('resp_'),
  object: 'response',
  created_at: Math.floor(Date.now() / 1000),
  model,
  output: [],
  status: 'in_progress',
});

function* events(answer: FittedAnswer, conversation: Conversation): Generator<WireEvent> {
  let sequence_number = 0;
  const event = (type: string, data: Json): WireEvent => ({ name: type, data: { type, sequence_number: sequence_number++, ...data } });
  const base = baseOf(conversation);
  yield event('response.created', { response: base });
  const items = itemsOf(answer);
  for (const [output_index, item] of items.entries()) {
    yield event('response.output_item.added', { output_index, item: begun(item) });
    const place = { item_id: item['id'], output_index };
    if (item['type'] === 'message' && answer.stop !== 'refusal')
      for (const delta of pieces(answer.say)) yield event('response.output_text.delta', { ...place, content_index: 0, delta });
    if (item['type'] === 'reasoning') {
      yield event('response.reasoning_summary_part.added', { ...place, summary_index: 0, part: { type: 'summary_text', text: '' } });
      for (const delta of pieces(answer.think)) yield event('response.reasoning_summary_text.delta', { ...place, summary_index: 0, delta });
    }
    yield event('response.output_item.done', { output_index, item });
  }
  const last = answer.stop === 'max_tokens' ? 'response.incomplete' : 'response.completed';
  yield event(last, { response: ended(base, answer, items) });
}

/** OpenAI Responses, `POST /v1/responses`. */
export const openaiResponses: Wire = {
  name: 'openai-responses',
  matches: (path) => path.endsWith('/responses'),
  read,
  events,
  whole: (answer, conversation) => ended(baseOf(conversation), answer, itemsOf(answer)),
  refusal: openaiRefusal,
};
