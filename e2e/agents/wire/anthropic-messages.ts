import { contentText, objectOf, objectsOf, parameterNames, textOf, type Conversation, type Json } from '../conversation.ts';
import type { Failure } from '../script.ts';
import { freshId, inputText, pieces, type FittedAnswer, type Wire, type WireEvent } from './wire.ts';

const ERRORS: Readonly<Record<Failure['fail'], string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  429: 'rate_limit_error',
  500: 'api_error',
  503: 'api_error',
  529: 'overloaded_error',
};

const read = (body: Json): Conversation => {
  const blocks = objectsOf(body['messages']).flatMap((message): Json[] =>
    typeof message['content'] === 'string'
      ? [{ role: message['role'], type: 'text', text: message['content'] }]
      : objectsOf(message['content']).map((block) => ({ ...block, role: message['role'] })),
  );
  return {
    model: textOf(body['model']),
    system: contentText(body['system']),
    prompts: blocks.filter((block) => block['role'] === 'user' && block['type'] === 'text').map((block) => textOf(block['text'])),
    tools: objectsOf(body['tools']).map((tool) => ({ name: textOf(tool['name']), parameters: parameterNames(tool['input_schema']) })),
    toolResults: blocks
      .filter((block) => block['type'] === 'tool_result')
      .map((block) => ({ id: textOf(block['tool_use_id']), text: contentText(block['content']), isError: block['is_error'] === true })),
    stream: body['stream'] === true,
    wantsJson: body['output_config'] !== undefined && objectOf(body['output_config'])['format'] !== undefined,
  };
};

const stopOf = ({ calls, stop }: FittedAnswer): string => {
  if (calls.length > 0) return 'tool_use';
  return stop === 'end' ? 'end_turn' : stop;
};

const countsOf = ({ usage }: FittedAnswer): Json => ({
  input_tokens: usage.input - usage.cached,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: usage.cached,
});

interface Block {
  readonly start: Json;
  readonly deltas: readonly Json[];
}

const blocksOf = (answer: FittedAnswer): Block[] => [
  ...(answer.think === ''
    ? []
    : [
        {
          start: { type: 'thinking', thinking: '', signature: '' },
          deltas: [
            ...pieces(answer.think).map((thinking) => ({ type: 'thinking_delta', thinking })),
            { type: 'signature_delta', signature: 'c2NyaXB0ZWQ=' },
          ],
        },
      ]),
  ...(answer.say === '' && answer.calls.length > 0
    ? []
    : [{ start: { type: 'text', text: '' }, deltas: pieces(answer.say).map((text) => ({ type: 'text_delta', text })) }]),
  ...answer.calls.map((call) => ({
    start: { type: 'tool_use', id: freshId('toolu_'), name: call.tool.name, input: {} },
    deltas: pieces(inputText(call)).map((partial_json) => ({ type: 'input_json_delta', partial_json })),
  })),
];

const messageOf = (answer: FittedAnswer, { model }: Conversation): Json => ({
  id: freshId('msg_'),
  type: 'message',
  role: 'assistant',
  model,
  content: [],
  stop_reason: null,
  stop_sequence: null,
  usage: { ...countsOf(answer), output_tokens: 1 },
});

function* events(answer: FittedAnswer, conversation: Conversation): Generator<WireEvent> {
  const event = (type: string, data: Json): WireEvent => ({ name: type, data: { type, ...data } });
  yield event('message_start', { message: messageOf(answer, conversation) });
  for (const [index, { start, deltas }] of blocksOf(answer).entries()) {
    yield event('content_block_start', { index, content_block: start });
    for (const delta of deltas) yield event('content_block_delta', { index, delta });
    yield event('content_block_stop', { index });
  }
  yield event('message_delta', {
    delta: { stop_reason: stopOf(answer), stop_sequence: null },
    usage: { ...countsOf(answer), output_tokens: answer.usage.output },
  });
  yield event('message_stop', {});
}

/** Anthropic Messages, `POST /v1/messages`. */
export const anthropicMessages: Wire = {
  name: 'anthropic-messages',
  matches: (path) => path.endsWith('/messages'),
  read,
  events,
  whole: (answer, conversation) => ({
    ...messageOf(answer, conversation),
    content: [
      ...(answer.say === '' ? [] : [{ type: 'text', text: answer.say }]),
      ...answer.calls.map((call) => ({ type: 'tool_use', id: freshId('toolu_'), name: call.tool.name, input: call.input })),
    ],
    stop_reason: stopOf(answer),
    usage: { ...countsOf(answer), output_tokens: answer.usage.output },
  }),
  refusal: ({ fail, message, limit_resets_in }, now) => ({
    headers:
      limit_resets_in === undefined
        ? {}
        : {
            'anthropic-ratelimit-unified-status': 'rejected',
            'anthropic-ratelimit-unified-reset': String(Math.ceil(now + limit_resets_in)),
            'anthropic-ratelimit-unified-representative-claim': 'five_hour',
          },
    body: { type: 'error', error: { type: ERRORS[fail], message }, request_id: freshId('req_') },
  }),
};
